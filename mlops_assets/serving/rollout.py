"""Putting a version behind an endpoint: test it, move traffic to it as the document says, and back where it fails.

Every step is asked of the endpoint and read from it: a rollout that was killed goes on from the share that the endpoint
has. The old version answers until the new one has passed everything.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlops_assets.serving.endpoint_tests import TestResult
from mlops_assets.serving.errors import EndpointNotFound
from mlops_assets.serving.spec import Beside, Endpoints, EndpointSpec, EndpointStatus, ServedVersion
from mlops_assets.serving.watching import Watch

if TYPE_CHECKING:
    from mlops_assets.config.deployment import RolloutConfig


@dataclass(frozen=True)
class RolledOut:
    """What an endpoint serves after a rollout, what it served before, and what was found of the new version.

    `evidence` are the last figures it was watched by, `broken` the criteria that did not hold.
    """

    status: EndpointStatus
    before: str | None
    tests: Sequence[TestResult] = field(default=())
    evidence: Mapping[str, float] = field(default_factory=dict)
    broken: Sequence[str] = ()
    share: int = 100
    rolled_back: bool = False

    @property
    def passed(self) -> bool:
        """Whether every test passed and every criterion held."""
        return all(test.passed for test in self.tests) and not self.broken


@dataclass(frozen=True)
class Rollout:
    """One version on its way to an endpoint."""

    endpoints: Endpoints
    wanted: EndpointSpec
    spec_of: Callable[[str], EndpointSpec]
    test: Callable[[], Sequence[TestResult]]
    config: "RolloutConfig"
    watch: Callable[[str, str], Watch]

    def run(self) -> RolledOut:
        """Serve the version, or go back to the one before where a test or a criterion fails.

        Asking for what is served already changes nothing and tests it again.

        Raises:
            DeploymentFailed: the version did not come up; the endpoint serves what it served before.
        """
        before, started = self._before(), self._share()
        if before is None or self.config.strategy == "all_at_once":
            return self._at_once(before, started)
        first = 100 if self.config.strategy == "blue_green" else self.config.increments[0]
        if not started:
            self._serve(0, before)
        results = list(self.test())
        if not all(result.passed for result in results):
            return self._back(RolledOut(self._status(), before, results))
        shares = [100] if self.config.strategy == "blue_green" else [*self.config.increments, 100]
        for share in sorted({each for each in shares if each >= max(started, first)}):
            self._serve(share, before)
            found = self.watch(self.spec_of(before).served_name, self.wanted.served_name).judge(self.config)
            done = RolledOut(self._status(), before, results, found.figures, found.broken, share)
            if found.broken:
                return self._back(done)
        return RolledOut(self._apply(self.wanted), before, results, found.figures)

    def _at_once(self, before: str | None, started: int) -> RolledOut:
        status = self._apply(self.wanted)
        known = before or (self.wanted.version if started else None)
        done = RolledOut(status, known, list(self.test()))
        return done if done.passed or before is None else self._back(done)

    def _back(self, done: RolledOut) -> RolledOut:
        status = self._apply(self.spec_of(str(done.before)))
        return RolledOut(status, done.before, done.tests, done.evidence, done.broken, done.share, rolled_back=True)

    def _serve(self, share: int, before: str) -> EndpointStatus:
        old = self.spec_of(before)
        paths = {"model_path": old.model_path, "onnx_path": old.onnx_path}
        beside = Beside(version=before, percentage=100 - share, **paths)
        shadow = self.config.shadow_percentage if share == 0 else 0
        return self._apply(self.wanted.model_copy(update={"beside": (beside,), "shadow_percentage": shadow}))

    def _apply(self, spec: EndpointSpec) -> EndpointStatus:
        self.endpoints.apply(spec)
        return self.endpoints.wait_ready(spec.name, self.endpoints.ready_seconds)

    def _status(self) -> EndpointStatus:
        return self.endpoints.get(self.wanted.name)

    def _before(self) -> str | None:
        """The version that takes most requests beside the wanted one; None where there is none."""
        others = [each for each in served(self.endpoints, self.wanted.name) if each.version != self.wanted.version]
        return max(others, key=lambda each: each.traffic_percentage).version if others else None

    def _share(self) -> int:
        """The wanted version's share now."""
        mine = (each for each in served(self.endpoints, self.wanted.name) if each.version == self.wanted.version)
        return max((each.traffic_percentage for each in mine), default=0)


def served(endpoints: Endpoints, name: str) -> Sequence[ServedVersion]:
    """The versions at an endpoint, none where there is no endpoint or it serves nothing."""
    try:
        return endpoints.get(name).served
    except EndpointNotFound:
        return ()


def served_version(endpoints: Endpoints, name: str) -> str | None:
    """The version that takes most requests at an endpoint, None where there is none."""
    found = served(endpoints, name)
    return max(found, key=lambda each: each.traffic_percentage).version if found else None
