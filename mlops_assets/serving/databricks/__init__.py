"""Endpoints of Databricks Model Serving, through databricks-sdk."""
