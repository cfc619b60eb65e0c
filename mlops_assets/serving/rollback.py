"""A person takes a version back: the endpoint, the champion and what deployments may take up stay one story."""

from typing import NamedTuple

from mlops_assets.registry import ModelRegistry, ModelVersion
from mlops_assets.registry.reigns import before
from mlops_assets.serving.endpoints import GatewayEndpoints
from mlops_assets.serving.errors import EndpointNotFound
from mlops_assets.serving.onnx import known
from mlops_assets.serving.rollout import served
from mlops_assets.serving.spec import Version

REASON = "rolled back by a person; the champion is version {} again"


class RolledBack(NamedTuple):
    """The numbers of the version that was left and of the one that is served again.

    `without_graph`: the endpoint's versions are ONNX graphs, and this one was never made one: scikit-learn serves it.
    """

    left: str
    back: str
    without_graph: bool = False


def roll_back(endpoints: GatewayEndpoints, registry: ModelRegistry, name: str, number: str | None = None) -> RolledBack:
    """Serve version `number`, else the champion before the served one.

    The version that is left is withdrawn, with the one that it is a copy of, so that the next run of its pipeline does
    not deploy it again.

    Raises:
        EndpointNotFound, RegistryError: there is nothing to go back from, or to.
        DeploymentFailed: the version did not come up; the endpoint serves what it served before.
    """
    found = served(endpoints, name)
    if not found:
        raise EndpointNotFound(f"There is no endpoint '{name}' that serves anything.")
    now = max(found, key=lambda each: each.traffic_percentage)
    left = registry.version(now.model_name, now.version)
    back = registry.version(now.model_name, number) if number else before(registry.versions(left.name), left)
    path, graph = registry.local_path(back), endpoints.graph(name)
    converted = known(path, graph.parent) if graph else None
    endpoints.switch(name, Version(back.name, back.version), str(path), converted.file if converted else None)
    endpoints.wait_ready(name)
    _tell(registry, left, back)
    return RolledBack(left.version, back.version, without_graph=graph is not None and converted is None)


def _tell(registry: ModelRegistry, left: ModelVersion, back: ModelVersion) -> None:
    """Move the champion back, also where the version is a copy of another model's; withdraw what was left."""
    for twin in registry.twins(back):
        champion = registry.champion(twin.name)
        if (twin.promoted or twin is back) and (champion is None or champion.version != twin.version):
            registry.promote(twin)
    for twin in registry.twins(left) if left.version != back.version else ():
        registry.withdraw(twin, REASON.format(back.version))
