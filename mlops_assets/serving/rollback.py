"""Rollback by a person: moves the endpoint and the champion back, and withdraws the version that was replaced."""

from typing import NamedTuple

from mlops_assets.registry import ModelRegistry, ModelVersion
from mlops_assets.registry.champions import previous_champion
from mlops_assets.serving.endpoints import GatewayEndpoints
from mlops_assets.serving.errors import EndpointNotFound
from mlops_assets.serving.onnx import cached_conversion
from mlops_assets.serving.rollout import served
from mlops_assets.serving.spec import Version

REASON = "rolled back by a person; the champion is version {} again"


class RolledBack(NamedTuple):
    """The numbers of the replaced version and of the one that is served again.

    `without_graph`: the endpoint serves ONNX graphs, but this version was never converted: scikit-learn serves it.
    """

    left: str
    back: str
    without_graph: bool = False


def roll_back(endpoints: GatewayEndpoints, registry: ModelRegistry, name: str, number: str | None = None) -> RolledBack:
    """Serve version `number`, by default the champion before the served one.

    The replaced version is withdrawn, with the version that it is a copy of, so that the next run of its pipeline does
    not deploy it again.

    Raises:
        EndpointNotFound, RegistryError: nothing is served there, or there is no version to go back to.
        DeploymentFailed: the version did not start; the endpoint still serves the other one.
    """
    versions = served(endpoints, name)
    if not versions:
        raise EndpointNotFound(f"There is no endpoint '{name}' that serves anything.")
    current = max(versions, key=lambda each: each.traffic_percentage)
    replaced = registry.version(current.model_name, current.version)
    restored = (
        registry.version(current.model_name, number)
        if number
        else previous_champion(registry.versions(replaced.name), replaced)
    )
    path, graph = registry.local_path(restored), endpoints.graph(name)
    converted = cached_conversion(path, graph.parent) if graph else None
    endpoints.switch(name, Version(restored.name, restored.version), str(path), converted.file if converted else None)
    endpoints.wait_ready(name)
    _update_registry(registry, replaced, restored)
    return RolledBack(replaced.version, restored.version, without_graph=graph is not None and converted is None)


def _update_registry(registry: ModelRegistry, replaced: ModelVersion, restored: ModelVersion) -> None:
    """Promote the restored version and its copies, and withdraw the replaced one and its copies."""
    for twin in registry.twins(restored):
        champion = registry.champion(twin.name)
        if (twin.promoted or twin is restored) and (champion is None or champion.version != twin.version):
            registry.promote(twin)
    for twin in registry.twins(replaced) if replaced.version != restored.version else ():
        registry.withdraw(twin, REASON.format(restored.version))
