"""Putting a version behind an endpoint: switch, test over HTTP, and switch back where the tests fail."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mlops_assets.serving.endpoint_tests import TestResult
from mlops_assets.serving.endpoints import EndpointSpec, EndpointStatus, GatewayEndpoints
from mlops_assets.serving.errors import EndpointNotFound

READY_SECONDS = 120.0


@dataclass(frozen=True)
class RolledOut:
    """What an endpoint serves after a rollout, what it served before, and what the tests said of the new version."""

    status: EndpointStatus
    before: str | None
    tests: Sequence[TestResult] = field(default=())
    rolled_back: bool = False

    @property
    def passed(self) -> bool:
        """Whether every test passed."""
        return all(test.passed for test in self.tests)


def roll_out(
    endpoints: GatewayEndpoints,
    wanted: EndpointSpec,
    spec_of: Callable[[str], EndpointSpec],
    test: Callable[[], Sequence[TestResult]],
) -> RolledOut:
    """Serve `wanted`, test it, and go back to the version that was served before where a test fails.

    Asking for what is served already changes nothing and tests it again. `spec_of` gives the spec of a version.

    Raises:
        DeploymentFailed: the version did not come up; the endpoint serves what it served before.
    """
    before = served_version(endpoints, wanted.name)
    endpoints.apply(wanted)
    status = endpoints.wait_ready(wanted.name, READY_SECONDS)
    results = list(test())
    if all(result.passed for result in results) or before in (None, wanted.version):
        return RolledOut(status, before, results)
    endpoints.apply(spec_of(str(before)))
    return RolledOut(endpoints.wait_ready(wanted.name, READY_SECONDS), before, results, rolled_back=True)


def served_version(endpoints: GatewayEndpoints, name: str) -> str | None:
    """The version that takes requests at an endpoint, None where there is no endpoint or it serves nothing."""
    try:
        served = endpoints.get(name).served
    except EndpointNotFound:
        return None
    return served[0].version if served else None
