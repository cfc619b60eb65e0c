"""The client against a workspace in trouble: the right answer or the right error, within the deadline."""

import asyncio
import datetime
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from mlops_assets.serving import AsyncTabularModelClient, AuthType, EndpointCredentials, TabularModelClient
from mlops_assets.serving.errors import (
    DeadlineExceeded,
    EndpointNotFound,
    EndpointUnavailable,
    InvalidInput,
    NotAuthorized,
    ServingError,
    Throttled,
)
from mlops_assets_tests.serving.conftest import wait_until
from mlops_assets_tests.workspace_stub import TOKEN, Fault, Workspace, workspace

INVOCATIONS = "POST /serving-endpoints/churn/invocations"


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory, model_path: Path) -> Iterator[Workspace]:
    """A workspace that serves version 1 of the churn model as `churn`."""
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.service.serving import EndpointCoreConfigInput, ServedEntityInput

    with workspace(tmp_path_factory.mktemp("workspace")) as made:
        made.models["main.ml.churn", "1"] = model_path
        entity = ServedEntityInput(
            entity_name="main.ml.churn", entity_version="1", workload_size="Small", scale_to_zero_enabled=True
        )
        sdk = WorkspaceClient(host=made.url, token=TOKEN)
        sdk.serving_endpoints.create("churn", config=EndpointCoreConfigInput(served_entities=[entity]))
        wait_until(lambda: bool(made.serving.endpoints["churn"].answering))
        yield made


@pytest.fixture(autouse=True)
def sound(there: Workspace) -> None:
    """No test meets the faults of another."""
    there.faults.waiting.clear()
    there.requests.clear()


def client(there: Workspace, seconds: float = 10, **limits: int) -> TabularModelClient:
    return TabularModelClient(there.url, EndpointCredentials(token=TOKEN), timeout_seconds=seconds, **limits)


RECOVERABLE = {
    "429 with Retry-After in seconds": Fault.error(429, "REQUEST_LIMIT_EXCEEDED", "slow down", retry_after="1"),
    "429 without": Fault.error(429, "REQUEST_LIMIT_EXCEEDED", "slow down"),
    "500": Fault.error(500, "INTERNAL_ERROR", "no"),
    "502 with a page": Fault.html(502),
    "503": Fault.error(503, "TEMPORARILY_UNAVAILABLE", "later", retry_after="0"),
    "a page with 200": Fault.html(200),
    "a reset connection": Fault(reset=True),
    "half an answer": Fault(200, b'{"predictions": [', {}),
}


@pytest.mark.parametrize("fault", RECOVERABLE.values(), ids=RECOVERABLE)
def test_one_fault_is_survived_and_the_rows_are_answered(there: Workspace, churn: pd.DataFrame, fault: Fault) -> None:
    expected = client(there).predict("churn", churn)
    there.fail(INVOCATIONS, fault)

    answered = client(there).predict("churn", churn)

    pd.testing.assert_frame_equal(answered, expected)
    assert not there.faults.waiting


LASTING = [
    (Fault.error(429, "REQUEST_LIMIT_EXCEEDED", "slow down", retry_after="60"), Throttled),
    (Fault.error(429, "REQUEST_LIMIT_EXCEEDED", "slow down", retry_after="0"), Throttled),
    (Fault.error(500, "INTERNAL_ERROR", "no"), EndpointUnavailable),
    (Fault.html(502), EndpointUnavailable),
    (Fault.html(200), EndpointUnavailable),
    (Fault(reset=True), EndpointUnavailable),
    (Fault(200, b'{"predictions": "no list"}'), EndpointUnavailable),
    (Fault(200, b'{"predictions": [1]}'), EndpointUnavailable),
    (Fault(200, b'{"predictions": [1, 2, 3, 4, 5, 6, 7]}', seconds=30), DeadlineExceeded),
    (Fault.error(504, "DEADLINE_EXCEEDED", "late", retry_after="0"), DeadlineExceeded),
    (Fault.error(400, "BAD_REQUEST", "no"), InvalidInput),
    (Fault.error(403, "PERMISSION_DENIED", "no"), NotAuthorized),
    (Fault.error(404, "RESOURCE_DOES_NOT_EXIST", "gone"), EndpointNotFound),
]


@pytest.mark.parametrize(("fault", "error"), LASTING)
def test_a_lasting_fault_is_one_error_within_the_deadline(
    there: Workspace, churn: pd.DataFrame, fault: Fault, error: type[ServingError]
) -> None:
    there.fail(INVOCATIONS, fault, times=100)
    begun = time.monotonic()

    with pytest.raises(ServingError) as raised:
        client(there, seconds=1 if fault.seconds else 3).predict("churn", churn)

    assert type(raised.value) is error
    # The slowest of these faults takes 30 s, the longest wait asked for 60.
    assert time.monotonic() - begun < 20


def test_retry_after_is_honoured_as_seconds_and_as_a_date(there: Workspace, churn: pd.DataFrame) -> None:
    for given in ("seconds", "date"):
        moment = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=2)
        asked = "1" if given == "seconds" else moment.strftime("%a, %d %b %Y %H:%M:%S GMT")
        there.fail(INVOCATIONS, Fault.error(429, "REQUEST_LIMIT_EXCEEDED", "slow down", retry_after=asked))
        begun = time.monotonic()

        client(there).predict("churn", churn.head(1))

        assert time.monotonic() - begun >= 0.9


def test_a_wait_that_would_outlast_the_deadline_is_not_begun(there: Workspace, churn: pd.DataFrame) -> None:
    there.fail(INVOCATIONS, Fault.error(429, "REQUEST_LIMIT_EXCEEDED", "slow down", retry_after="3600"), times=9)

    with pytest.raises(Throttled):
        client(there, seconds=30).predict("churn", churn)

    assert there.requests.count(INVOCATIONS) == 1


def test_retries_are_bounded(there: Workspace, churn: pd.DataFrame) -> None:
    there.fail(INVOCATIONS, Fault.error(503, "TEMPORARILY_UNAVAILABLE", "later", retry_after="0"), times=100)

    with pytest.raises(EndpointUnavailable):
        client(there).predict("churn", churn)

    assert there.requests.count(INVOCATIONS) == 5


def test_what_does_not_fit_the_signature_never_leaves(there: Workspace, churn: pd.DataFrame) -> None:
    for wrong in (churn.assign(tenure="my-secret"), churn.drop(columns="tenure"), churn.assign(tenure=[None] * 60)):
        with pytest.raises(InvalidInput, match="tenure") as refused:
            client(there).predict("churn", wrong)
        assert refused.value.field == "tenure"
        assert "my-secret" not in str(refused.value)
    assert INVOCATIONS not in there.requests


def test_chunks_in_flight_at_once_keep_the_order_and_index(there: Workspace, churn: pd.DataFrame) -> None:
    shuffled = churn.sample(frac=1, random_state=1)

    whole = client(there).predict("churn", shuffled)
    there.fail(INVOCATIONS, Fault.error(429, "REQUEST_LIMIT_EXCEEDED", "slow down", retry_after="0"), times=3)
    parts = client(there, max_rows=7, connections=4).predict("churn", shuffled)

    pd.testing.assert_frame_equal(parts, whole)
    assert list(parts.index) == list(shuffled.index)


def test_the_async_client_answers_the_same_for_many_at_once(there: Workspace, churn: pd.DataFrame) -> None:
    async def many() -> list[pd.DataFrame]:
        async with AsyncTabularModelClient(there.url, EndpointCredentials(token=TOKEN)) as asking:
            return await asyncio.gather(*(asking.predict("churn", churn) for _ in range(5)))

    for answered in asyncio.run(many()):
        pd.testing.assert_frame_equal(answered, client(there).predict("churn", churn))


def test_the_client_works_inside_a_running_loop_and_from_threads(there: Workspace, churn: pd.DataFrame) -> None:
    asking, answers = client(there), []

    async def notebook() -> pd.DataFrame:
        return asking.predict("churn", churn)

    threads = [threading.Thread(target=lambda: answers.append(asking.predict("churn", churn))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    for answered in answers:
        pd.testing.assert_frame_equal(answered, asyncio.run(notebook()))


def test_a_service_principal_gets_its_token_from_the_workspace(there: Workspace, churn: pd.DataFrame) -> None:
    credentials = EndpointCredentials(
        auth_type=AuthType.SERVICE_PRINCIPAL, client_id="stand-in-client", client_secret="stand-in-client-secret"
    )

    answered = TabularModelClient(there.url, credentials).predict("churn", churn)

    assert len(answered) == len(churn)
    assert "POST /oidc/v1/token" in there.requests


def test_a_profile_of_the_configuration_file_is_a_way_in(
    there: Workspace, churn: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "databrickscfg"
    file.write_text(f"[team]\nhost = {there.url}\ntoken = {TOKEN}\n")
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(file))
    credentials = EndpointCredentials(auth_type=AuthType.PROFILE, profile="team")

    assert len(TabularModelClient(there.url, credentials).predict("churn", churn)) == len(churn)


def test_an_endpoint_name_cannot_lead_elsewhere(there: Workspace, churn: pd.DataFrame) -> None:
    for name in ("../jobs", "churn/invocations?x", "", "a" * 64, "churn\n"):
        with pytest.raises(InvalidInput, match="endpoint name"):
            client(there).predict(name, churn)
    assert there.requests == []


def test_a_token_is_in_no_error_log_or_repr(
    there: Workspace, churn: pd.DataFrame, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    echo = Fault.error(500, "INTERNAL_ERROR", f"header Authorization: Bearer {TOKEN} was refused")
    there.fail(INVOCATIONS, echo, times=9)
    asking = client(there)

    with pytest.raises(ServingError) as raised:
        asking.predict("churn", churn)

    error: BaseException | None = raised.value
    told = [caplog.text, repr(asking), repr(vars(asking))]
    while error is not None:
        told, error = [*told, str(error), repr(error)], error.__cause__ or error.__context__
    assert not [text for text in told if TOKEN in text]
