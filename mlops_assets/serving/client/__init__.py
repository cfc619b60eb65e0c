"""The typed clients of endpoints, here and on Databricks."""
