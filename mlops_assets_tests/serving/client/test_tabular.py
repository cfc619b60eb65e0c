import asyncio
import datetime
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from mlops_assets.serving import AuthType, EndpointCredentials, TabularModelClient
from mlops_assets.serving.client import tabular as client_module
from mlops_assets.serving.client.credentials import checked_url
from mlops_assets.serving.client.encoding import chunks
from mlops_assets.serving.client.tabular import AsyncTabularModelClient
from mlops_assets.serving.errors import (
    EndpointNotFound,
    EndpointUnavailable,
    InvalidInput,
    NotAuthorized,
    ServingError,
)
from mlops_assets.serving.gateway_process import GatewayAddress
from mlops_assets.serving.model import load_served_model
from mlops_assets_tests.serving.conftest import token_of


@pytest.fixture(scope="module")
def client(shared: GatewayAddress) -> TabularModelClient:
    credentials = EndpointCredentials(auth_type=AuthType.TOKEN, token=token_of(shared))
    return TabularModelClient(workspace_url=shared.url, credentials=credentials, timeout_seconds=20)


def test_predictions_keep_the_order_and_index_of_the_features(
    client: TabularModelClient, churn: pd.DataFrame, model_path: object
) -> None:
    shuffled = churn.sample(frac=1, random_state=3)

    predictions = client.predict(endpoint_name="churn", features=shuffled)

    expected = pd.DataFrame(load_served_model(model_path).predict(shuffled), index=shuffled.index)
    pd.testing.assert_frame_equal(predictions, expected)
    assert list(predictions) == ["prediction", "probability"]


def test_threads_that_are_the_first_to_ask_share_one_loop(
    shared: GatewayAddress, churn: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, new = [], asyncio.new_event_loop

    def slowly() -> asyncio.AbstractEventLoop:
        time.sleep(0.05)
        made.append(new())
        return made[-1]

    monkeypatch.setattr("mlops_assets.serving.client.tabular.asyncio.new_event_loop", slowly)
    client_module._loop.cache_clear()
    client = TabularModelClient(shared.url, EndpointCredentials(token=token_of(shared)))
    with ThreadPoolExecutor(8) as threads:
        asked = list(threads.map(lambda row: client.predict("churn", churn.iloc[[row]]), range(16)))

    assert len(made) == 1
    assert [each.index[0] for each in asked] == list(range(16))


def test_an_async_client_may_be_used_in_one_loop_after_another(shared: GatewayAddress, churn: pd.DataFrame) -> None:
    client = AsyncTabularModelClient(shared.url, EndpointCredentials(token=token_of(shared)))

    first, second = (asyncio.run(client.predict("churn", churn)) for _ in range(2))

    assert first.equals(second)
    asyncio.run(client.close())


def test_an_empty_frame_asks_nothing(client: TabularModelClient, churn: pd.DataFrame) -> None:
    assert list(client.predict("churn", churn.head(0))) == ["prediction", "probability"]


def test_a_refusal_names_the_field_and_not_the_value(client: TabularModelClient, churn: pd.DataFrame) -> None:
    with pytest.raises(InvalidInput, match="tenure") as refused:
        client.predict("churn", churn.assign(tenure="my-secret"))

    assert refused.value.field == "tenure"
    assert "my-secret" not in str(refused.value)


def test_an_unknown_endpoint_is_not_found(client: TabularModelClient, churn: pd.DataFrame) -> None:
    with pytest.raises(EndpointNotFound, match="nobody"):
        client.predict("nobody", churn)


def test_a_wrong_token_is_not_authorized_and_is_not_told(shared: GatewayAddress, churn: pd.DataFrame) -> None:
    credentials = EndpointCredentials(token="wrong-token-0123456789")
    client = TabularModelClient(shared.url, credentials)

    with pytest.raises(NotAuthorized) as refused:
        client.predict("churn", churn)

    for text in (str(refused.value), repr(client), repr(credentials), str(client._client._config)):
        assert "wrong-token" not in text


def test_where_nothing_listens_the_endpoint_is_unavailable(churn: pd.DataFrame) -> None:
    client = TabularModelClient("http://127.0.0.1:9", EndpointCredentials(token="t"), timeout_seconds=1)

    with pytest.raises(EndpointUnavailable, match="nothing answers there"):
        client.predict("churn", churn)


def test_every_error_is_a_serving_error() -> None:
    from mlops_assets.serving import errors

    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert len(kinds) == 9
    assert all(issubclass(kind, ServingError) for kind in kinds)


@pytest.mark.parametrize(
    ("values", "sent"),
    [
        ([1, 2], "[1], [2]"),
        ([1.5, np.nan], "[1.5], [null]"),
        (["ä", None], '["\\u00e4"], [null]'),
        (pd.Series([1, None], dtype="Int64"), "[1], [null]"),
        (pd.Series(["a", None], dtype="category"), '["a"], [null]'),
        (pd.to_datetime(["2024-02-29T10:00", None]), '["2024-02-29T10:00:00"], [null]'),
        (pd.to_datetime(["2024-02-29T10:00Z"]), '["2024-02-29T10:00:00+00:00"]'),
        ([datetime.date(2024, 2, 29)], '["2024-02-29"]'),
        ([Decimal("1.25"), None], "[1.25], [null]"),
        ([True, False], "[true], [false]"),
        ([np.float32(0.5)], "[0.5]"),
        ([b"\x00\x01"], '["AAE="]'),
    ],
)
def test_values_travel_as_json_has_them(values: object, sent: str) -> None:
    (chunk,) = chunks(pd.DataFrame({"x": values}))

    assert chunk.body.decode() == f'{{"dataframe_split": {{"columns": ["x"], "data": [{sent}]}}}}'


@pytest.mark.parametrize("value", [float("inf"), [1], {"a": 1}, object()])
def test_what_json_cannot_carry_is_refused_by_column(value: object) -> None:
    with pytest.raises(InvalidInput, match="column 'x'"):
        list(chunks(pd.DataFrame({"x": pd.Series([value], dtype=object)})))


def test_column_names_are_texts_and_unique() -> None:
    with pytest.raises(InvalidInput, match="must be text"):
        list(chunks(pd.DataFrame({1: [1]})))
    with pytest.raises(InvalidInput, match="twice"):
        list(chunks(pd.DataFrame([[1, 2]], columns=["x", "x"])))


def test_chunks_keep_to_rows_and_bytes_and_lose_nothing() -> None:
    frame = pd.DataFrame({"x": range(100), "y": ["t" * (row % 40) for row in range(100)]})

    parts = list(chunks(frame, max_rows=7, max_bytes=200))

    assert max(part.rows for part in parts) <= 7
    assert max(len(part.body) for part in parts) <= 200
    rows = [row for part in parts for row in json.loads(part.body)["dataframe_split"]["data"]]
    assert rows == frame.to_numpy().tolist()


@pytest.mark.parametrize(
    ("url", "accepted"),
    [
        ("https://x.cloud.databricks.com/", True),
        ("x.cloud.databricks.com", True),
        ("http://127.0.0.1:8787", True),
        ("http://localhost:8787", True),
        ("http://[::1]:8787", True),
        ("http://x.cloud.databricks.com", False),
        ("http://127.0.0.1.evil.example", False),
        ("http://user:pw@127.0.0.1", False),
        ("ftp://x", False),
        ("", False),
    ],
)
def test_a_token_goes_over_https_or_to_this_machine(url: str, accepted: bool) -> None:
    if accepted:
        assert not checked_url(url).endswith("/")
    else:
        with pytest.raises(ValueError, match="workspace_url"):
            checked_url(url)


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"auth_type": AuthType.TOKEN}, "token"),
        ({"auth_type": AuthType.SERVICE_PRINCIPAL, "client_id": "a"}, "client_secret"),
        ({"auth_type": AuthType.AZURE, "client_id": "a", "client_secret": "hush-hush"}, "tenant_id"),
        ({"auth_type": AuthType.PROFILE}, "profile"),
    ],
)
def test_credentials_say_what_is_missing_and_nothing_else(given: dict[str, object], missing: str) -> None:
    with pytest.raises(ValidationError, match=missing) as refused:
        EndpointCredentials.model_validate(given)

    assert "hush-hush" not in str(refused.value)


def test_a_token_wins_over_other_credentials_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABRICKS_CLIENT_ID", "id")
    monkeypatch.setenv("DATABRICKS_CLIENT_SECRET", "secret")

    config = EndpointCredentials(token="mine").sdk_config("https://x.cloud.databricks.com", 5)

    assert config.authenticate() == {"Authorization": "Bearer mine"}


def test_importing_the_package_imports_nothing_heavy() -> None:
    program = (
        "import sys, mlops_assets.serving;"
        "print([m for m in ('pandas', 'databricks', 'pydantic', 'starlette', 'httpx') if m in sys.modules])"
    )
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert output.stdout.strip() == "[]"
