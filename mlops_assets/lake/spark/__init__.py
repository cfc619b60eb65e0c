"""The engine of a cluster: Spark moves the rows and writes the tables, classic or through Spark Connect.

Text is parsed, and read as declared types, by the very functions of the Polars engine, in Spark's Python workers: the
workers need this package. Everything else is Spark's own.
"""
