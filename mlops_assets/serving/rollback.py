"""A person takes a version back: the endpoint, the champion and what deployments may take up stay one story."""

from mlops_assets.registry import ModelRegistry
from mlops_assets.serving.endpoints import GatewayEndpoints
from mlops_assets.serving.errors import EndpointNotFound
from mlops_assets.serving.rollout import served

REASON = "rolled back by a person; the champion is version {} again"


def roll_back(
    endpoints: GatewayEndpoints, registry: ModelRegistry, name: str, number: str | None = None
) -> tuple[str, str]:
    """Serve version `number`, else the champion before the served one; the numbers of what was left and what is served.

    The version that is left is withdrawn, so that the next run of its pipeline does not deploy it again.

    Raises:
        EndpointNotFound, RegistryError: there is nothing to go back from, or to.
        DeploymentFailed: the version did not come up; the endpoint serves what it served before.
    """
    found = served(endpoints, name)
    if not found:
        raise EndpointNotFound(f"There is no endpoint '{name}' that serves anything.")
    now = max(found, key=lambda each: each.traffic_percentage)
    left = registry.version(now.model_name, now.version)
    back = registry.version(now.model_name, number) if number else registry.before(left)
    endpoints.switch(name, back.version, str(registry.local_path(back)))
    endpoints.wait_ready(name)
    registry.promote(back)
    if left.version != back.version:
        registry.withdraw(left, REASON.format(back.version))
    return left.version, back.version
