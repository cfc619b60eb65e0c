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
        config = load_platform(self.platform).databricks
        sign_in(config)
        return ModelRegistry(self.tracking_uri, artifacts, self.registry_uri, unity_models_of(config))


def unity_models_of(config: DatabricksConfig) -> UnityModels:
    """How the platform document names models."""
    schemas = {environment: str(names) for environment, names in config.environments.items()}
    return UnityModels(f"{config.catalog}.{config.schema_name}", schemas, config.experiments)


def sign_in(config: DatabricksConfig) -> None:
    """MLflow takes the workspace and its token from the environment only: give it those of the document."""
    token = config.token.get_secret_value() if config.token else None
    given = {"DATABRICKS_HOST": config.host, "DATABRICKS_TOKEN": token, "DATABRICKS_CONFIG_PROFILE": config.profile}
    os.environ.update({name: value for name, value in given.items() if value})
