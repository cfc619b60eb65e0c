"""The model registry as a Dagster resource."""

import os
from pathlib import Path

import dagster as dg
from pydantic import Field

from mlops_assets.config.platform import DatabricksConfig
from mlops_assets.config.platforms import load_platform
from mlops_assets.registry import ModelRegistry
from mlops_assets.registry.unity import UnityModels


class RegistryResource(dg.ConfigurableResource[ModelRegistry]):
    """Gives assets MLflow's runs, versions and aliases."""

    tracking_uri: str = Field(description="MLflow's tracking and registry server.")
    artifacts: str | None = Field(default=None, description="Folder of model files; the server's choice without it.")
    registry_uri: str | None = Field(default=None, description="Register of models, where it is not the same server.")
    platform: str | None = Field(default=None, description="Platform whose document says how models are named.")

    def create_resource(self, context: dg.InitResourceContext) -> ModelRegistry:
        """The registry; MLflow is imported when it is first asked."""
        return self.connected()

    def connected(self) -> ModelRegistry:
        """The same without a run."""
        artifacts = Path(self.artifacts) if self.artifacts else None
        if self.platform is None:
            return ModelRegistry(self.tracking_uri, artifacts, self.registry_uri)
        there = load_platform(self.platform).databricks
        sign_in(there)
        return ModelRegistry(self.tracking_uri, artifacts, self.registry_uri, unity_models_of(there))


def unity_models_of(there: DatabricksConfig) -> UnityModels:
    """How the platform document names models."""
    schemas = {environment: str(names) for environment, names in there.environments.items()}
    return UnityModels(f"{there.catalog}.{there.schema_name}", schemas, there.experiments)


def sign_in(there: DatabricksConfig) -> None:
    """MLflow takes the workspace and its token from the environment only: give it those of the document."""
    token = there.token.get_secret_value() if there.token else None
    given = {"DATABRICKS_HOST": there.host, "DATABRICKS_TOKEN": token, "DATABRICKS_CONFIG_PROFILE": there.profile}
    os.environ.update({name: value for name, value in given.items() if value})
