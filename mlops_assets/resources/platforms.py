"""What each platform gives to the assets. The only place that asks which platform it is."""

import os
from collections.abc import Callable, Mapping

import dagster as dg

from mlops_assets.config import home, platform_name
from mlops_assets.config.platforms import load_platform
from mlops_assets.registry import ARTIFACTS, ModelRegistry
from mlops_assets.resources.registry import RegistryResource
from mlops_assets.resources.serving import ServingResource
from mlops_assets.resources.warehouse import WarehouseResource


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
    registry, gateway = embedded_registry(), load_platform("embedded").gateway
    return {
        "lake": WarehouseResource(home=str(home())),
        "registry": RegistryResource(tracking_uri=registry.tracking_uri, artifacts=str(registry.artifacts)),
        "serving": ServingResource(home=str(home()), host=gateway.host, port=gateway.port),
    }


_PLATFORMS: Mapping[str, Callable[[], Mapping[str, object]]] = {"embedded": _embedded}
