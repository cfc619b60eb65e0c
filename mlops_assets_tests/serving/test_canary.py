"""Canaries on a real gateway under load: a version that errs, is slow or disagrees goes, and nobody notices."""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mlops_assets.config.rollout import RolloutConfig
from mlops_assets.serving.endpoint_tests import Probe, TestResult, run_tests
from mlops_assets.serving.endpoints import EndpointSpec, GatewayEndpoints
from mlops_assets.serving.gateway_process import GatewayAddress
from mlops_assets.serving.model import load_served_model
from mlops_assets.serving.rollout import RolledOut, Rollout
from mlops_assets.serving.watching import Watch
from mlops_assets_tests.serving.conftest import Saver, running, token_of, wait_until
from mlops_assets_tests.serving.gateway.test_swap import keep_asking

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def versions(save_model: Saver, churn: pd.DataFrame, model_path: Path) -> Mapping[str, Path]:
    """Versions 1 and 2 are alike, 3 fails on half of the rows, 4 has thousands of trees, 5 says the opposite."""
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.preprocessing import OneHotEncoder

    labels = ["stays" if tenure > 30 else "leaves" for tenure in churn["tenure"]]
    opposite = ["leaves" if label == "stays" else "stays" for label in labels]
    boosting = HistGradientBoostingClassifier(max_iter=5, min_samples_leaf=5)
    known = OneHotEncoder(categories=[["monthly"]], handle_unknown="error", sparse_output=False)
    lenient = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    monthly = churn.assign(contract="monthly")
    return {
        "1": model_path,
        "2": model_path,
        "3": save_model(known, boosting, monthly, labels),
        "4": save_model(lenient, RandomForestClassifier(400), churn, labels),
        "5": save_model(lenient, boosting, churn, opposite),
    }


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayAddress]:
    with running(tmp_path_factory.mktemp("canaries")) as address:
        yield address


@contextmanager
def asked_all_the_time(address: GatewayAddress) -> Iterator[Counter[tuple[int, str]]]:
    """Four callers ask the endpoint until the end; what they were answered, by status and version."""
    done, counts = threading.Event(), [Counter[tuple[int, str]]() for _ in range(4)]
    arguments = [(address.url, token_of(address), done, seen) for seen in counts]
    callers = [threading.Thread(target=keep_asking, args=each) for each in arguments]
    total = Counter[tuple[int, str]]()
    for caller in callers:
        caller.start()
    wait_until(lambda: all(counts), 60)
    try:
        yield total
    finally:
        done.set()
        for caller in callers:
            caller.join()
        total.update(sum(counts, Counter[tuple[int, str]]()))


def roll(
    address: GatewayAddress, versions: Mapping[str, Path], rows: pd.DataFrame, number: str, config: dict[str, Any]
) -> RolledOut:
    def spec_of(model: str, version: str) -> EndpointSpec:
        return EndpointSpec(name="churn", model_name=model, version=version, model_path=str(versions[version]))

    with GatewayEndpoints(address.url, token_of(address)) as endpoints:
        wanted, given = (
            spec_of("churn_model", number),
            RolloutConfig.model_validate({"evaluation_period": "1s", **config}),
        )

        def watch(old: str, new: str) -> Watch:
            return Watch(endpoints, "churn", old, new, rows)

        return Rollout(endpoints, wanted, spec_of, lambda: [], given, watch).run()


CASES = [
    ("2", ["error_rate == 0", "agreement == 1", "latency_p95_ms < 60000"], ""),
    ("3", ["error_rate < 0.01"], "error_rate is"),
    ("4", ["latency_p50_ratio < 2"], "latency_p50_ratio is"),
    ("5", ["agreement > 0.9"], "agreement is 0"),
]


@pytest.mark.parametrize(("number", "criteria", "told"), CASES)
@pytest.mark.parametrize("strategy", ["canary", "blue_green"])
def test_a_bad_version_is_rolled_back_by_itself_and_the_old_one_never_stops_answering(
    gateway: GatewayAddress,
    versions: Mapping[str, Path],
    churn: pd.DataFrame,
    strategy: str,
    number: str,
    criteria: list[str],
    told: str,
) -> None:
    rows = churn[churn["contract"].notna()]
    roll(gateway, versions, rows, "1", {"strategy": "all_at_once"})

    with asked_all_the_time(gateway) as answered:
        config = {"strategy": strategy, "increments": [20, 60], "success_criteria": criteria}
        done = roll(gateway, versions, rows, number, config)

    assert done.passed == (not told)
    assert told in " ".join(done.broken)
    served = [each.version for each in done.status.served]
    assert served == ([number] if done.passed else ["1"])
    assert {status for status, _ in answered} == {200}
    assert answered[200, "churn_model-1"] > 0


def test_shadow_traffic_is_compared_and_never_answers(
    gateway: GatewayAddress, versions: Mapping[str, Path], churn: pd.DataFrame
) -> None:
    spec = EndpointSpec(name="churn", model_name="churn_model", version="1", model_path=str(versions["1"]))
    beside = {"version": "5", "model_path": str(versions["5"]), "percentage": 0}
    shadowed = EndpointSpec.model_validate({**spec.model_dump(), "beside": [beside], "shadow_percentage": 100})
    with GatewayEndpoints(gateway.url, token_of(gateway)) as endpoints:
        endpoints.apply(shadowed)
        endpoints.wait_ready("churn")
        with asked_all_the_time(gateway) as answered:
            endpoints.ask("churn", churn, "churn_model-5")
            wait_until(lambda: sum(each["rows"] for each in endpoints.agreement("churn")) > 0)
        (comparison,) = endpoints.agreement("churn")

    assert set(answered) == {(200, "churn_model-1")}
    assert (comparison["served_model_name"], comparison["shadow_model_name"]) == ("churn_model-1", "churn_model-5")
    assert comparison["agreement"] == 0
    assert comparison["rows"] + comparison["errors"] + comparison["left_out"] > 0


def test_load_and_invariance_say_what_they_found(
    gateway: GatewayAddress, versions: Mapping[str, Path], churn: pd.DataFrame
) -> None:
    from mlops_assets.config import DeploymentConfig

    roll(gateway, versions, churn, "1", {"strategy": "all_at_once"})
    fields = {"model_name": "m", "model_version": "1", "environment": "dev", "deployment_type": "serving_endpoint"}
    tests = [
        {"type": "load", "connections": 3, "seconds": 0.5},
        {"type": "invariance", "columns": ["signed"]},
        {"type": "invariance", "columns": ["tenure"]},
        {"type": "invariance", "columns": ["nothing"]},
    ]
    config = DeploymentConfig.model_validate({**fields, "tests": tests})
    with GatewayEndpoints(gateway.url, token_of(gateway)) as endpoints:
        model = load_served_model(versions["1"])
        probe = Probe(lambda rows: endpoints.ask("churn", rows, "churn_model-1"), model, churn)
        load, same, other, unknown = run_tests(probe, config.tests)
        endpoints.delete("churn")
        (gone, *_) = run_tests(probe, config.tests)

    assert load.passed
    assert load.figures["requests_per_second"] > 0
    assert (same.passed, other.passed) == (True, False)
    assert unknown == TestResult("invariance", False, "the rows have no column 'nothing'")
    assert (gone.passed, "EndpointNotFound" in gone.description) == (False, True)
