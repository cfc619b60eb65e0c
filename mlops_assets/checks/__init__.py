"""Documents as checks that stand on their own: in a user's tests, or beside the assets."""
