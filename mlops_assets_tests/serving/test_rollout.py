"""The steps of a rollout, on endpoints in memory: what is served after each, and after a kill at any of them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from mlops_assets.config.rollout import RolloutConfig
from mlops_assets.serving.endpoint_tests import TestResult
from mlops_assets.serving.errors import EndpointNotFound, EndpointUnavailable
from mlops_assets.serving.gateway.shadow import difference
from mlops_assets.serving.rollout import RolledOut, Rollout
from mlops_assets.serving.spec import EndpointSpec, EndpointStatus, ServedVersion, Traffic
from mlops_assets.serving.watching import Watch, failed_for_good, unmet_criteria

KNOWN = [("m", "1"), ("m", "2"), ("m", "3"), ("dev.m", "2"), ("dev.m", "7")]


class KilledError(BaseException):
    """The process ended here."""


class Remembered:
    """Endpoints that only remember what they were told to serve; `answers` by version, an exception is raised."""

    ready_seconds = 1.0

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.answers = answers
        self.now: EndpointSpec | None = None
        self.history: list[dict[str, int]] = []
        self.kill_at = -1

    def apply(self, spec: EndpointSpec) -> EndpointStatus:
        if len(self.history) == self.kill_at:
            self.kill_at = -1
            raise KilledError
        self.now = spec
        self.history.append({version: share for version, share in self.shares().items() if share})
        return self.get(spec.name)

    def shares(self) -> dict[str, int]:
        assert self.now is not None
        return {self.now.version: self.now.percentage} | {each.version: each.percentage for each in self.now.beside}

    def get(self, name: str) -> EndpointStatus:
        if self.now is None:
            raise EndpointNotFound(name)
        served = tuple(
            ServedVersion(
                name=each.name,
                model_name=each.entity_name,
                version=each.entity_version,
                traffic_percentage=self.now.config.shares[each.name],
            )
            for each in self.now.config.served_entities
        )
        return EndpointStatus(
            name=name, ready=True, config_update="NOT_UPDATING", served=served, tags=dict(self.now.tags)
        )

    def delete(self, name: str) -> None:
        self.now = None
        self.history.append({})

    def wait_ready(self, name: str, timeout: float) -> EndpointStatus:
        return self.get(name)

    def ask(self, name: str, rows: pd.DataFrame, served: str) -> pd.DataFrame:
        answer = self.answers[served.removeprefix("m-")]
        if isinstance(answer, Exception):
            raise answer
        return pd.DataFrame([{"prediction": answer > 0.5, "probability": answer}] * len(rows))

    def traffic(self, name: str) -> Mapping[str, Traffic]:
        return {}


def spec(version: str, model: str = "m") -> EndpointSpec:
    if (model, version) not in KNOWN:
        raise LookupError(f"model '{model}' has no version '{version}'")
    return EndpointSpec(name="e", model_name=model, version=version, model_path="/nowhere")


def verdicts(verdict: bool | None) -> list[TestResult]:
    """One test of that verdict; without one the process ends in the middle of it."""
    if verdict is None:
        raise KilledError
    return [TestResult("schema", verdict, "")]


def rollout(
    endpoints: Remembered, strategy: str, criteria: Sequence[str] = (), tested: bool | None = True, wanted: str = "2"
) -> Rollout:
    config = RolloutConfig.model_validate(
        {"strategy": strategy, "evaluation_period": "1ms", "increments": [10, 50], "success_criteria": list(criteria)}
    )

    def watch(old: str, new: str) -> Watch:
        return Watch(endpoints, "e", old, new, pd.DataFrame({"x": [1.0]}))

    return Rollout(
        endpoints, spec(wanted), lambda model, version: spec(version, model), lambda: verdicts(tested), config, watch
    )


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlops_assets.serving.watching.SHORTEST_PAUSE", 0)


def served_first(answers: Mapping[str, Any] = {"1": 0.2, "2": 0.21}) -> Remembered:
    endpoints = Remembered(answers)
    endpoints.apply(spec("1"))
    return endpoints


@pytest.mark.parametrize(
    ("strategy", "steps"),
    [
        ("all_at_once", [{"2": 100}, {"2": 100}]),
        ("blue_green", [{"1": 100}, {"2": 100}, {"2": 100}]),
        ("canary", [{"1": 100}, {"2": 10, "1": 90}, {"2": 50, "1": 50}, {"2": 100}, {"2": 100}]),
    ],
)
def test_traffic_moves_as_the_strategy_says(strategy: str, steps: list[dict[str, int]]) -> None:
    endpoints = served_first()

    done = rollout(endpoints, strategy, ["error_rate == 0", "agreement == 1", "latency_p95_ms < 10000"]).run()

    assert done.passed
    assert done.before == ("m", "1")
    assert endpoints.history[1:] == steps
    assert endpoints.shares() == {"2": 100}


BAD: list[tuple[Any, str, str]] = [
    (EndpointUnavailable("it fell over"), "error_rate < 0.01", "error_rate is 1 (last error, new version: it fell"),
    (0.9, "agreement > 0.95", "agreement is 0"),
    (0.2, "requests > 1e9", "requests is 30"),
]


@pytest.mark.parametrize("strategy", ["blue_green", "canary"])
@pytest.mark.parametrize(("answer", "criterion", "told"), BAD)
def test_a_version_that_breaks_a_criterion_is_rolled_back_with_the_evidence(
    strategy: str, answer: Any, criterion: str, told: str
) -> None:
    endpoints = served_first({"1": 0.2, "2": answer})

    done = rollout(endpoints, strategy, [criterion]).run()

    assert (done.passed, done.rolled_back, done.before) == (False, True, ("m", "1"))
    assert told in done.broken[0]
    assert done.share == (100 if strategy == "blue_green" else 10)
    assert endpoints.shares() == {"1": 100}


@pytest.mark.parametrize("strategy", ["all_at_once", "blue_green", "canary"])
def test_a_version_that_fails_a_test_is_not_kept(strategy: str) -> None:
    endpoints = served_first()

    done = rollout(endpoints, strategy, tested=False).run()

    assert (done.passed, done.rolled_back) == (False, True)
    assert endpoints.shares() == {"1": 100}
    if strategy != "all_at_once":
        assert all("2" not in step for step in endpoints.history)


def test_the_first_version_has_nothing_to_be_compared_with() -> None:
    endpoints = Remembered({"2": 0.5})

    done = rollout(endpoints, "canary", ["agreement == 1"]).run()

    assert (done.passed, done.before, endpoints.history) == (True, None, [{"2": 100}, {"2": 100}])
    assert endpoints.get("e").tags == {}


@pytest.mark.parametrize("strategy", ["all_at_once", "blue_green", "canary"])
@pytest.mark.parametrize("kills", [0, 1])
def test_a_first_version_that_fails_a_test_is_not_served(strategy: str, kills: int) -> None:
    endpoints = Remembered({})
    for _ in range(kills):
        with pytest.raises(KilledError):
            rollout(endpoints, strategy, tested=None, wanted="1").run()

    done = rollout(endpoints, strategy, tested=False).run()

    assert (done.passed, done.rolled_back, done.before, done.status.served) == (False, True, None, ())
    with pytest.raises(EndpointNotFound):
        endpoints.get("e")


@pytest.mark.parametrize("strategy", ["all_at_once", "blue_green", "canary"])
def test_a_rollout_that_was_killed_in_its_tests_still_goes_back_where_they_fail(strategy: str) -> None:
    endpoints = served_first()
    with pytest.raises(KilledError):
        rollout(endpoints, strategy, tested=None).run()

    done = rollout(endpoints, strategy, tested=False).run()

    assert (done.rolled_back, endpoints.shares()) == (True, {"1": 100})


@pytest.mark.parametrize("strategy", ["all_at_once", "blue_green", "canary"])
@pytest.mark.parametrize("number", ["2", "7"])
def test_a_model_of_another_name_is_what_was_served_before_whatever_its_number(strategy: str, number: str) -> None:
    endpoints = Remembered({})
    endpoints.apply(spec(number, "dev.m"))

    done = rollout(endpoints, strategy, tested=False).run()

    assert (done.before, done.rolled_back) == (("dev.m", number), True)
    assert [each.registered for each in done.status.served] == [("dev.m", number)]


def run_through_kills(endpoints: Remembered, strategy: str, kill_at: int) -> RolledOut:
    endpoints.kill_at = kill_at
    try:
        return rollout(endpoints, strategy, ["agreement > 0.9"]).run()
    except KilledError:
        return rollout(endpoints, strategy, ["agreement > 0.9"]).run()


@pytest.mark.parametrize("kill_at", range(1, 6))
@pytest.mark.parametrize(("answer", "ends_with"), [(0.21, "2"), (0.9, "1")])
@pytest.mark.parametrize("strategy", ["blue_green", "canary"])
def test_after_a_kill_at_any_step_the_rollout_goes_on_and_never_takes_a_step_back(
    strategy: str, answer: float, ends_with: str, kill_at: int
) -> None:
    endpoints = served_first({"1": 0.2, "2": answer})

    done = run_through_kills(endpoints, strategy, kill_at)

    assert endpoints.shares() == {ends_with: 100}
    assert done.passed == (ends_with == "2")
    shares = [step.get("2", 0) for step in endpoints.history]
    if ends_with == "2":
        assert shares == sorted(shares)


def test_asking_for_what_is_served_tests_it_again_and_changes_nothing() -> None:
    endpoints = Remembered({"2": 0.5})
    endpoints.apply(spec("2"))

    done = rollout(endpoints, "canary").run()

    assert (done.passed, done.before) == (True, ("m", "2"))
    assert endpoints.history == [{"2": 100}] * 2
    assert not rollout(endpoints, "canary", tested=False).run().passed
    assert endpoints.shares() == {"2": 100}


def test_a_criterion_over_an_unknown_figure_is_not_met() -> None:
    assert unmet_criteria(["agreement > 0.5 and error_rate < 1"], {"error_rate": 0.0}) == [
        "'agreement > 0.5 and error_rate < 1' does not hold: agreement is unknown, error_rate is 0"
    ]


def test_more_requests_than_so_far_may_be_asked_for_and_nothing_else_is_waited_for() -> None:
    figures = {"error_rate": 0.5, "requests": 30.0}
    waits = ["requests >= 60", "requests < 100 or error_rate < 0.1"]

    assert failed_for_good(waits, figures) == []
    assert len(failed_for_good(waits, {**figures, "requests": 200.0})) == 1
    assert len(failed_for_good(["requests >= 60 and error_rate < 0.1"], figures)) == 1


def test_a_criterion_over_requests_is_judged_when_the_period_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlops_assets.serving.watching.ENOUGH", 3)
    endpoints = served_first()
    config = {"strategy": "blue_green", "evaluation_period": "500ms", "success_criteria": ["requests > 3"]}
    started = rollout(endpoints, "blue_green")

    assert replace(started, config=RolloutConfig.model_validate(config)).run().passed


@pytest.mark.parametrize(("failed", "passed"), [(0, True), (9, False)])
def test_a_gateway_that_was_started_again_counts_anew(
    monkeypatch: pytest.MonkeyPatch, failed: int, passed: bool
) -> None:
    counts = iter([Traffic(1000, 0)])
    endpoints = served_first()
    monkeypatch.setattr(endpoints, "traffic", lambda name: {"m-2": next(counts, Traffic(90, failed))})

    assert rollout(endpoints, "blue_green", ["error_rate < 0.01"]).run().passed == passed


SURE = {"prediction": "cat", "probability": 0.6, "probabilities": {"cat": 0.6, "dog": 0.3, "owl": 0.1}}
TORN = {"prediction": "cat", "probability": 0.36, "probabilities": {"cat": 0.36, "dog": 0.34, "owl": 0.3}}
OTHERWISE = {"prediction": "dog", "probability": 0.36, "probabilities": {"cat": 0.34, "dog": 0.36, "owl": 0.3}}


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        (SURE, {"prediction": "dog", "probability": 0.6, "probabilities": {"cat": 0.3, "dog": 0.6, "owl": 0.1}}, 0.3),
        (
            TORN,
            {"prediction": "dog", "probability": 0.36, "probabilities": {"cat": 0.34, "dog": 0.36, "owl": 0.3}},
            0.02,
        ),
        (SURE, {"prediction": "fox", "probability": 0.6, "probabilities": {"fox": 0.6, "dog": 0.3, "owl": 0.1}}, 0.6),
        ({"prediction": "no", "probability": 0.49}, {"prediction": "yes", "probability": 0.51}, 0.02),
        ({"prediction": "no", "probability": 0.2}, {"prediction": "nein", "probability": 0.2}, 1.0),
        ({"prediction": "no"}, {"prediction": "yes"}, 1.0),
    ],
)
def test_predictions_differ_by_the_probability_of_every_class(one: Any, other: Any, apart: float) -> None:
    assert difference(one, other) == difference(other, one) == pytest.approx(apart)
