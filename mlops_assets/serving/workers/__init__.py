"""The processes that hold the models and answer the gateway's requests in batches."""
