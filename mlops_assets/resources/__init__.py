"""What assets work with, by platform: the warehouse, the model registry, the serving endpoints."""
