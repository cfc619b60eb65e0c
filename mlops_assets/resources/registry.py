"""The model registry as a Dagster resource."""

from pathlib import Path

import dagster as dg
from pydantic import Field

from mlops_assets.registry import ModelRegistry


class RegistryResource(dg.ConfigurableResource[ModelRegistry]):
    """Gives assets MLflow's runs, versions and aliases."""

    tracking_uri: str = Field(description="MLflow's tracking and registry server.")
    artifacts: str = Field(description="Folder of model files.")
    registry_uri: str | None = Field(default=None, description="Register of models, where it is not the same server.")

    def create_resource(self, context: dg.InitResourceContext) -> ModelRegistry:
        """The registry; MLflow is imported when it is first asked."""
        return ModelRegistry(self.tracking_uri, Path(self.artifacts), self.registry_uri)
