"""Feature tables on Spark: the same files and names as in `features`, the same rows."""
