"""What each platform gives to the assets. The only place that asks which platform it is."""

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import dagster as dg

from mlops_assets.config import home, platform_name
from mlops_assets.config.platform import DatabricksConfig
from mlops_assets.config.platforms import load_platform
from mlops_assets.registry import ARTIFACTS, ModelRegistry
from mlops_assets.resources.registry import RegistryResource, unity_models_of
from mlops_assets.resources.remote_steps import RemoteSteps
from mlops_assets.resources.serving import ServingResource
from mlops_assets.resources.warehouse import SparkWarehouseResource, WarehouseResource


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


def embedded_registry() -> ModelRegistry:
    """MLflow at MLOPS_MLFLOW_URI (a server, or a database such as `postgresql+psycopg2://…`), by default on sqlite
    below MLOPS_HOME; the files of models are below MLOPS_HOME.
    """
    shared = os.environ.get("MLOPS_MLFLOW_URI")
    return ModelRegistry(shared, home() / ARTIFACTS) if shared else ModelRegistry.below(home())


def _embedded() -> Mapping[str, object]:
    return _on_this_machine("embedded", WarehouseResource(home=str(home())))


def _spark() -> Mapping[str, object]:
    return _on_this_machine("spark", SparkWarehouseResource(home=str(home().absolute())))


def _on_this_machine(platform: str, lake: object) -> Mapping[str, object]:
    """MLflow and the gateway below MLOPS_HOME; the tables wherever `lake` has them."""
    registry, gateway = embedded_registry(), load_platform(platform).gateway
    return {
        "lake": lake,
        "registry": RegistryResource(tracking_uri=registry.tracking_uri, artifacts=str(registry.artifacts)),
        "serving": ServingResource(home=str(home()), host=gateway.host, port=gateway.port),
    }


def _databricks() -> Mapping[str, object]:
    """The tables lie on the platform's volume; steps, models and endpoints are the workspace's."""
    from mlops_assets.resources.databricks_serving import DatabricksServingResource

    there = load_platform("databricks").databricks
    if there.volume is None:
        raise dg.DagsterInvalidDefinitionError(
            "configs/platforms/databricks.yaml: databricks.volume names the volume that tables and steps lie on, "
            "/Volumes/<catalog>/<schema>/<volume>"
        )
    access = {
        "host": there.host,
        "token": there.token.get_secret_value() if there.token else None,
        "profile": there.profile,
    }
    resources: dict[str, object] = {
        "lake": WarehouseResource(home=there.volume, platform="databricks", tables=there.tables),
        "registry": RegistryResource(tracking_uri="databricks", registry_uri="databricks-uc", platform="databricks"),
        "serving": DatabricksServingResource(
            permissions=dict(there.permissions),
            inference_schema=there.inference_schema,
            host=there.host,
            token=access["token"],
            profile=there.profile,
        ),
    }
    return resources | ({"remote_steps": _remote_steps(there, access)} if there.remote_layers else {})


def _remote_steps(there: DatabricksConfig, access: Mapping[str, Any]) -> RemoteSteps:
    if there.wheel is None:
        raise dg.DagsterInvalidDefinitionError(
            "configs/platforms/databricks.yaml: databricks.wheel names this project's wheel; "
            "or leave databricks.remote_layers empty, and every step runs where Dagster does"
        )
    return RemoteSteps(
        volume=str(there.volume),
        wheel=there.wheel,
        layers=list(there.remote_layers),
        engine=there.engine,
        cluster_id=there.cluster_id,
        new_cluster=there.new_cluster,
        timeout_seconds=int(there.timeout.total_seconds()),
        unity_models=asdict(unity_models_of(there)),
        tables=there.tables,
        warehouse_id=there.warehouse_id,
        grants={principal: list(privileges) for principal, privileges in there.grants.items()},
        **access,
    )


_PLATFORMS: Mapping[str, Callable[[], Mapping[str, object]]] = {
    "embedded": _embedded,
    "spark": _spark,
    "databricks": _databricks,
}
