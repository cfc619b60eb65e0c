"""The deployment asset of a bad version: red with the evidence, the version before it back, and nobody notices."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from mlops_assets.registry import ModelVersion, Training
from mlops_assets.serving.endpoints import GatewayEndpoints
from mlops_assets.serving.gateway_process import ensure_running
from mlops_assets_tests.fields.life import DEPLOYMENT, Life, life_in
from mlops_assets_tests.serving.conftest import token_of
from mlops_assets_tests.serving.test_canary import asked_all_the_time

pytestmark = pytest.mark.slow
INPUTS = [("tenure", "double"), ("charges", "double")]


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    """The endpoint `churn` serves version 1, the champion."""
    with life_in(tmp_path_factory.mktemp("canary")) as made:
        assert made.run("bronze", "silver", "gold/customer_features", "gold/training_set", "model").success
        assert deploy(made, "1", []).success
        yield made


def deploy(life: Life, version: str, criteria: list[str]) -> dg.ExecuteInProcessResult:
    rollout = {
        "strategy": "canary",
        "increments": [20, 60],
        "evaluation_period": "1s",
        "success_criteria": criteria,
    }
    served = {"model_version": version, "endpoint_name": "churn", "tests": [], "rollout": rollout}
    return life.run("deployment/production", deployment={**DEPLOYMENT, **served})


def registered(life: Life, estimator: Any) -> ModelVersion:
    """A further version that its gate has let through."""
    known = life.registry.version("churn", "1")
    tags = {name: value for name, value in known.tags.items() if "promoted" not in name}
    return life.registry.log("churn", "shop", "", Training(estimator, INPUTS, [("prediction", "string")], {}, {}, tags))


def erring() -> Any:
    """It knows no tenure of 30 months and more, and fails where it sees one."""
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    known = OneHotEncoder(categories=[np.arange(30.0)], handle_unknown="error", sparse_output=False)
    return make_pipeline(
        make_column_transformer((known, ["tenure"]), remainder="passthrough"), LogisticRegression()
    ).fit(*rows(tenures=30))


def slow() -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(400).fit(*rows())


def opposite() -> Any:
    from sklearn.linear_model import LogisticRegression

    inputs, labels = rows()
    return LogisticRegression().fit(inputs, ~labels)


def rows(tenures: int = 60) -> tuple[pd.DataFrame, Any]:
    draw = np.random.default_rng(1)
    charges = draw.normal(50, 10, 400)
    inputs = pd.DataFrame({"tenure": draw.integers(0, tenures, 400).astype(float), "charges": charges})
    return inputs, charges > 50


CASES = [
    (erring, ["error_rate < 0.01"], "error_rate is"),
    (slow, ["latency_p50_ratio < 2"], "latency_p50_ratio is"),
    (opposite, ["agreement > 0.9"], "agreement is"),
]


@pytest.mark.parametrize(("estimator", "criteria", "told"), CASES)
def test_a_bad_version_leaves_a_red_asset_with_the_evidence_and_the_old_version_answering(
    life: Life, estimator: Any, criteria: list[str], told: str
) -> None:
    bad, gateway = registered(life, estimator()), ensure_running(life.home)

    with asked_all_the_time(gateway) as answered:
        result = deploy(life, bad.version, criteria)

    assert not result.success
    assert result.get_asset_materialization_events() == []
    failure = next(event.step_failure_data for event in result.all_events if event.is_step_failure)
    assert "rolled back to version 1" in str(failure)
    (check,) = [each for each in result.get_asset_check_evaluations() if each.check_name == "rollout"]
    assert not check.passed
    assert told in str(check.description)
    assert "at 20 % of the requests" in str(check.description)
    with GatewayEndpoints(gateway.url, token_of(gateway)) as endpoints:
        served = endpoints.get("churn").served
    assert [(each.version, each.traffic_percentage) for each in served] == [("1", 100)]
    assert {status for status, _ in answered} == {200}
    assert answered[200, "churn-1"] > 0
    champion = life.registry.champion("churn")
    assert champion is not None
    assert champion.version == "1"
