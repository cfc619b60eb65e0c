"""The resources of each platform. The only place that asks which platform it is."""

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

import dagster as dg

from mlops_assets.config import home, platform_name
from mlops_assets.config.environment import possible_home
from mlops_assets.config.platform import DatabricksConfig
from mlops_assets.config.platforms import load_platform
from mlops_assets.registry import ARTIFACTS, ModelRegistry
from mlops_assets.resources.registry import RegistryResource, unity_models_of
from mlops_assets.resources.remote_steps import RemoteSteps
from mlops_assets.resources.serving import ServingResource
from mlops_assets.resources.warehouse import SparkWarehouseResource, WarehouseResource, unity_tables_of

SHARED_MLFLOW = "MLOPS_MLFLOW_URI"


def resources_for(platform: str | None = None) -> Mapping[str, object]:
    """The resources of a platform; MLOPS_PLATFORM's where none is named.

    Raises:
        dagster.DagsterInvalidDefinitionError: there is no such platform, or this version does not bring it.
    """
    name = platform or platform_name()
    if name not in _PLATFORMS:
        raise dg.DagsterInvalidDefinitionError(
            f"MLOPS_PLATFORM is '{name}'; this version runs on {', '.join(_PLATFORMS)}"
        )
    return _PLATFORMS[name]()


def registry_here() -> ModelRegistry:
    """The registry of the platform that MLOPS_PLATFORM names, for command lines.

    Raises:
        dagster.DagsterInvalidDefinitionError: there is no such platform, or its document lacks what it needs.
    """
    registry = resources_for()["registry"]
    assert isinstance(registry, RegistryResource)
    return registry.connected() if registry.platform else embedded_registry()


def embedded_registry(root: Path | None = None) -> ModelRegistry:
    """MLflow at MLOPS_MLFLOW_URI (a server, or a database such as `postgresql+psycopg2://…`), by default on sqlite
    below `root`, where the files of models are too; MLOPS_HOME where not given.
    """
    uri, folder = os.environ.get(SHARED_MLFLOW), root or home()
    return ModelRegistry(uri, folder / ARTIFACTS) if uri else ModelRegistry.below(folder)


def _embedded_resources() -> Mapping[str, object]:
    return _local_resources("embedded", WarehouseResource(home=str(possible_home())))


def _spark_resources() -> Mapping[str, object]:
    return _local_resources("spark", SparkWarehouseResource(home=str(possible_home())))


def _local_resources(platform: str, lake: object) -> Mapping[str, object]:
    """MLflow and the gateway below MLOPS_HOME; the tables wherever `lake` has them."""
    store, gateway = embedded_registry().server, load_platform(platform).gateway
    # A server's address may hold a password, and what is a resource's configuration is shown in the Launchpad.
    tracking_uri = dg.EnvVar(SHARED_MLFLOW) if os.environ.get(SHARED_MLFLOW) else store.tracking_uri
    return {
        "lake": lake,
        "registry": RegistryResource(tracking_uri=tracking_uri, artifacts=str(store.artifacts)),
        "serving": ServingResource(home=str(home()), host=gateway.host, port=gateway.port),
    }


def _databricks_resources() -> Mapping[str, object]:
    """The tables lie on the platform's volume; steps, models and endpoints are the workspace's."""
    from mlops_assets.resources.databricks_serving import DatabricksServingResource

    config = load_platform("databricks").databricks
    if config.volume is None:
        raise dg.DagsterInvalidDefinitionError(
            "configs/platforms/databricks.yaml: databricks.volume names the volume that tables and steps lie on, "
            "/Volumes/<catalog>/<schema>/<volume>"
        )
    resources: dict[str, object] = {
        "lake": WarehouseResource(home=config.volume, platform="databricks", tables=config.tables),
        "registry": RegistryResource(tracking_uri="databricks", registry_uri="databricks-uc", platform="databricks"),
        "serving": DatabricksServingResource(
            permissions=dict(config.permissions) if "permissions" in config.model_fields_set else None,
            inference_schema=config.inference_schema,
        ),
    }
    return resources | ({"remote_steps": _remote_steps(config)} if config.remote_layers else {})


def _remote_steps(config: DatabricksConfig) -> RemoteSteps:
    if config.wheel is None:
        raise dg.DagsterInvalidDefinitionError(
            "configs/platforms/databricks.yaml: databricks.wheel names this project's wheel; "
            "or leave databricks.remote_layers empty, and every step runs where Dagster does"
        )
    unity_tables = unity_tables_of(config)
    return RemoteSteps(
        volume=str(config.volume),
        wheel=config.wheel,
        layers=list(config.remote_layers),
        engine=config.engine,
        cluster_id=config.cluster_id,
        timeout_seconds=int(config.timeout.total_seconds()),
        unity_models=asdict(unity_models_of(config)),
        tables=config.tables,
        unity_tables=asdict(unity_tables) if unity_tables else None,
    )


_PLATFORMS: Mapping[str, Callable[[], Mapping[str, object]]] = {
    "embedded": _embedded_resources,
    "spark": _spark_resources,
    "databricks": _databricks_resources,
}
