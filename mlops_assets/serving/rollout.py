"""Rolls a version out to an endpoint: test it, move traffic to it as the document says, and go back if it fails.

The state is always read from the endpoint, so a rollout that was killed continues from the share that the endpoint has.
The old version is kept running until the new one has passed everything.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mlops_assets.serving.endpoint_tests import TestResult
from mlops_assets.serving.errors import EndpointNotFound
from mlops_assets.serving.spec import Beside, Endpoints, EndpointSpec, EndpointStatus, ServedVersion, Version
from mlops_assets.serving.watching import Watch

if TYPE_CHECKING:
    from mlops_assets.config.rollout import RolloutConfig

# The tag of an endpoint whose only version has not passed its tests yet.
UNTESTED = "untested"


@dataclass(frozen=True)
class RolledOut:
    """The result of a rollout: what the endpoint serves now and served before, and how the new version did.

    `evidence` are the last figures observed, `broken` the criteria that did not hold, `share` the percentage of traffic
    at that time.
    """

    status: EndpointStatus
    before: Version | None
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
    """The rollout of one version to an endpoint."""

    endpoints: Endpoints
    wanted: EndpointSpec
    spec_of: Callable[[str, str], EndpointSpec]
    test: Callable[[], Sequence[TestResult]]
    config: "RolloutConfig"
    watch: Callable[[str, str], Watch]

    def run(self) -> RolledOut:
        """Serve the version; if a test or a criterion fails, go back to the previous one, if any.

        A version that is already served is only tested again.

        Raises:
            DeploymentFailed: the version did not start; the endpoint still serves the previous one.
        """
        before, started = self._before(), self._share()
        if before is None:
            return self._alone(started)
        at_once = self.config.strategy == "all_at_once"
        if at_once or not started:
            self._serve(100 if at_once else 0, before)
        results = list(self.test())
        if not all(result.passed for result in results):
            return self._back(RolledOut(self._status(), before, results))
        figures: Mapping[str, float] = {}
        for share in self._shares(started):
            self._serve(share, before)
            found = self.watch(self.spec_of(*before).served_name, self.wanted.served_name).judge(self.config)
            figures = found.figures
            if found.broken:
                return self._back(RolledOut(self._status(), before, results, figures, found.broken, share))
        return RolledOut(self._apply(self.wanted), before, results, figures)

    def _shares(self, started: int) -> Sequence[int]:
        """The remaining shares of traffic to observe, ascending."""
        steps = {"all_at_once": (), "blue_green": (100,), "canary": (*self.config.increments, 100)}
        return sorted({share for share in steps[self.config.strategy] if share >= started})

    def _alone(self, started: int) -> RolledOut:
        """Serve the version without another one alongside.

        A first version is tagged as untested until it has passed, so that after a kill it is not taken for a good one.
        """
        first = not started or self._untested()
        marked = {"tags": {**self.wanted.tags, UNTESTED: "true"}}
        status = self._apply(self.wanted.model_copy(update=marked) if first else self.wanted)
        result = RolledOut(status, None if first else self.wanted.registered, list(self.test()))
        if not first:
            return result
        if result.passed:
            return replace(result, status=self._apply(self.wanted))
        self.endpoints.delete(self.wanted.name)
        not_served = EndpointStatus(name=self.wanted.name, ready=False, config_update="NOT_UPDATING")
        return replace(result, status=not_served, rolled_back=True)

    def _back(self, result: RolledOut) -> RolledOut:
        assert result.before is not None
        return replace(result, status=self._apply(self.spec_of(*result.before)), rolled_back=True)

    def _serve(self, share: int, before: Version) -> EndpointStatus:
        old = self.spec_of(*before)
        paths = {"model_path": old.model_path, "onnx_path": old.onnx_path}
        beside = Beside(**before._asdict(), percentage=100 - share, **paths)
        shadow = self.config.shadow_percentage if share == 0 else 0
        return self._apply(self.wanted.model_copy(update={"beside": (beside,), "shadow_percentage": shadow}))

    def _apply(self, spec: EndpointSpec) -> EndpointStatus:
        self.endpoints.apply(spec)
        return self.endpoints.wait_ready(spec.name, self.endpoints.ready_seconds)

    def _status(self) -> EndpointStatus:
        return self.endpoints.get(self.wanted.name)

    def _before(self) -> Version | None:
        """The other version with the most traffic; None if there is none that has passed its tests."""
        found = served(self.endpoints, self.wanted.name)
        others = [each for each in found if each.registered != self.wanted.registered]
        if not others or self._untested():
            return None
        return max(others, key=lambda each: each.traffic_percentage).registered

    def _share(self) -> int:
        """The wanted version's current share of the traffic in percent."""
        found = served(self.endpoints, self.wanted.name)
        mine = (each.traffic_percentage for each in found if each.registered == self.wanted.registered)
        return max(mine, default=0)

    def _untested(self) -> bool:
        return UNTESTED in self._status().tags


def served(endpoints: Endpoints, name: str) -> Sequence[ServedVersion]:
    """The versions served at an endpoint; empty if there is no such endpoint."""
    try:
        return endpoints.get(name).served
    except EndpointNotFound:
        return ()
