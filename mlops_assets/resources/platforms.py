"""What each platform gives to the assets. The only place that asks which platform it is."""

from collections.abc import Mapping

import dagster as dg

from mlops_assets.config import home, platform_name
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


def _embedded() -> Mapping[str, object]:
    return {"lake": WarehouseResource(home=str(home()))}


_PLATFORMS = {"embedded": _embedded}
