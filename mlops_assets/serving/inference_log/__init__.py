"""The inference log: from a request's line in a spool to a row of the Delta inference table."""
