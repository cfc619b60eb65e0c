"""Requests that bring keys instead of features, over HTTP to a real gateway."""

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import polars as pl
import pytest

from mlops_assets.config import FeatureConfig
from mlops_assets.features.online import refresh_online
from mlops_assets.features.online_store import online_store
from mlops_assets.lake import delta
from mlops_assets.serving.endpoints import EndpointSpec, GatewayEndpoints
from mlops_assets.serving.gateway.online_features import _json_values
from mlops_assets_tests.serving.conftest import running, token_of, wait_until

CONFIG = FeatureConfig.model_validate(
    {
        "source_table": "silver",
        "feature_table_name": "customers",
        "primary_keys": ["customer"],
        "features": [],
        "timestamp_column": "signed",
        "online_store_enabled": True,
    }
)
Ask = Callable[..., httpx.Response]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("online")


@pytest.fixture(scope="module")
def ask(home: Path, churn: pd.DataFrame, deploy: Callable[..., EndpointSpec]) -> Iterator[Ask]:
    delta.merge(
        str(home / "table"), pl.from_pandas(churn).with_row_index("customer"), keys=["customer"], transactions={}
    )
    refresh_online(CONFIG, str(home / "table"), online_store(home, "shop", "customers"))
    with running(home) as address, GatewayEndpoints(address.url, token_of(address)) as endpoints:
        endpoints.apply(deploy(online_features="shop/customers", inference_table=str(home / "log")))
        endpoints.wait_ready("churn", 60)
        with httpx.Client(base_url=address.url, headers={"authorization": f"Bearer {token_of(address)}"}) as client:
            yield lambda body, served="": client.post(f"/serving-endpoints/churn{served}/invocations", json=body)


def predictions(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json()["predictions"]


def test_keys_are_answered_as_their_features_are(ask: Ask, churn: pd.DataFrame) -> None:
    raw = json.loads(churn.to_json(orient="split", date_format="iso", index=False))
    features = predictions(ask({"dataframe_split": {"columns": raw["columns"], "data": raw["data"]}}))
    for form in ("dataframe_records", "inputs", "instances"):
        assert predictions(ask({form: [{"customer": number} for number in range(60)]})) == features
    backwards = {"columns": ["customer"], "data": [[number] for number in range(59, -1, -1)]}
    assert predictions(ask({"dataframe_split": backwards})) == features[::-1]


def test_what_the_request_brings_wins_over_what_is_stored(ask: Ask) -> None:
    stored, other, whole = (
        predictions(ask({"dataframe_records": [row]}))
        for row in (
            {"customer": 2},
            {"customer": 2, "tenure": 59},
            {"tenure": 59, "charges": 23.0, "contract": "monthly", "signed": "2024-01-03"},
        )
    )
    assert other == whole != stored


def test_an_unknown_key_and_one_of_another_type_are_refused_without_their_value(ask: Ask) -> None:
    unknown = ask({"dataframe_records": [{"customer": 1}, {"customer": 98765}]})
    assert unknown.status_code == 400
    assert "Row 1: the online store knows no features of this customer." in unknown.text
    assert "98765" not in unknown.text
    text = ask({"dataframe_records": [{"customer": "seven"}]})
    assert text.status_code == 400
    assert "is not of the types of customer" in text.text


def test_a_request_of_neither_features_nor_keys_is_told_what_is_missing(ask: Ask) -> None:
    answer = ask({"dataframe_records": [{"tenure": 3}]})
    assert answer.status_code == 400
    assert "charges" in answer.text
    assert ask([1]).status_code == 400


def test_the_log_keeps_what_the_store_refused_and_not_what_a_deployment_tests(ask: Ask, home: Path) -> None:
    tested = ask({"dataframe_records": [{"customer": 1}]}, "/served-models/churn_model-1")
    assert ask({"dataframe_records": [{"customer": 424242}]}).status_code == 400

    def logged() -> pl.DataFrame:
        return pl.read_delta(str(home / "log")) if delta.exists(str(home / "log")) else pl.DataFrame({"inputs": [""]})

    wait_until(lambda: logged()["inputs"].str.contains("424242").any())
    found = logged()
    assert predictions(tested)
    assert found.filter(pl.col("inputs").str.contains("424242"))["status_code"].to_list() == [400]
    assert tested.headers["x-request-id"] not in found["request_id"]


def test_decimals_of_the_store_are_numbers_and_what_is_no_number_is_null() -> None:
    stored = pl.DataFrame({"x": [Decimal("1.5"), None], "y": [float("nan"), 2.0]})

    assert _json_values(stored) == {"x": [1.5, None], "y": [None, 2.0]}
