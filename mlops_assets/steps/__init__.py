"""The work of each asset, without Dagster: the same code runs in this process and as a Databricks job."""
