"""Delta tables on an engine: where they are, how they are read, written, ingested and refined. No Dagster here."""
