"""A model's whole life in typed YAML, as a Dagster asset graph."""
