from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from mlops_assets.serving.endpoints import EndpointSpec, GatewayEndpoints
from mlops_assets.serving.errors import (
    DeadlineExceeded,
    DeploymentFailed,
    EndpointNotFound,
    EndpointUnavailable,
    NotAuthorized,
)
from mlops_assets.serving.gateway_process import GatewayAddress
from mlops_assets_tests.serving.conftest import token_of, workers_of

Deploy = Callable[..., EndpointSpec]


@pytest.fixture
def endpoints(shared: GatewayAddress) -> Iterator[GatewayEndpoints]:
    with GatewayEndpoints.of(shared.url, shared.token_file.parent) as found:
        yield found


@pytest.fixture
def sent(endpoints: GatewayEndpoints) -> list[str]:
    """The requests that change something, as they are sent."""
    requests: list[str] = []

    def note(request: httpx.Request) -> None:
        if request.method != "GET":
            requests.append(f"{request.method} {request.url.path}")

    endpoints._client.event_hooks = {"request": [note]}
    return requests


def test_applying_what_is_served_already_sends_nothing(
    endpoints: GatewayEndpoints, sent: list[str], deploy: Deploy
) -> None:
    endpoints.apply(deploy())
    endpoints.wait_ready("churn")
    sent.clear()

    status = endpoints.apply(deploy())

    assert sent == []
    assert status.ready
    assert [(each.model_name, each.version, each.traffic_percentage) for each in status.served] == [
        ("churn_model", "1", 100)
    ]


def test_changed_settings_and_tags_are_sent_without_new_workers(
    endpoints: GatewayEndpoints, sent: list[str], deploy: Deploy, shared: GatewayAddress
) -> None:
    before = workers_of(shared.pid)
    endpoints.apply(deploy(timeout_seconds=7, tags={"team": "churn"}))
    status = endpoints.wait_ready("churn")

    assert sent == [
        "PATCH /api/2.0/serving-endpoints/churn/tags",
        "PUT /api/2.0/serving-endpoints/churn/config",
    ]
    assert status.tags == {"team": "churn"}
    assert workers_of(shared.pid) == before
    assert endpoints.wait_ready(endpoints.apply(deploy()).name).tags == {}


def test_no_answer_in_time_is_504(endpoints: GatewayEndpoints, deploy: Deploy, http: httpx.Client) -> None:
    endpoints.apply(deploy(timeout_seconds=0.0001))
    endpoints.wait_ready("churn")

    answer = http.post("/serving-endpoints/churn/invocations", json={"dataframe_records": []})

    assert (answer.status_code, answer.json()["error_code"]) == (504, "DEADLINE_EXCEEDED")
    endpoints.apply(deploy())
    endpoints.wait_ready("churn")


def test_access_control_can_be_switched_off_for_predictions_alone(
    endpoints: GatewayEndpoints, deploy: Deploy, shared: GatewayAddress
) -> None:
    endpoints.apply(deploy(enable_access_control=False))
    endpoints.wait_ready("churn")

    with httpx.Client(base_url=shared.url, trust_env=False) as anyone:
        predicted = anyone.post("/serving-endpoints/churn/invocations", json={"dataframe_records": []})
        managed = anyone.get("/api/2.0/serving-endpoints/churn")

    assert (predicted.status_code, managed.status_code) == (200, 401)
    endpoints.apply(deploy())
    endpoints.wait_ready("churn")


def test_a_failed_deployment_tells_its_reason_and_the_old_version_can_be_applied_again(
    endpoints: GatewayEndpoints, deploy: Deploy, tmp_path: Path
) -> None:
    endpoints.apply(deploy(2, model_path=str(tmp_path)))
    with pytest.raises(DeploymentFailed, match="no file named MLmodel"):
        endpoints.wait_ready("churn")
    assert endpoints.get("churn").ready

    endpoints.apply(deploy())

    assert endpoints.wait_ready("churn").served[0].version == "1"


def test_environment_variables_are_not_in_a_specs_repr(deploy: Deploy) -> None:
    assert "hush" not in repr(deploy(environment_variables={"API_KEY": "hush"}))


def test_an_endpoint_nobody_made_is_not_found(endpoints: GatewayEndpoints) -> None:
    for ask in (endpoints.get, endpoints.delete, endpoints.wait_ready):
        with pytest.raises(EndpointNotFound, match="nobody"):
            ask("nobody")
    assert [status.name for status in endpoints.list()] == ["churn"]


def test_waiting_ends_with_its_timeout(endpoints: GatewayEndpoints, deploy: Deploy) -> None:
    endpoints.apply(deploy(name="later"))

    with pytest.raises(DeadlineExceeded, match="'later' was not ready within 0 s"):
        endpoints.wait_ready("later", timeout=0)
    endpoints.delete("later")


def test_a_wrong_token_and_an_absent_gateway_are_told_apart(shared: GatewayAddress) -> None:
    with GatewayEndpoints(shared.url, "wrong") as wrong, pytest.raises(NotAuthorized):
        wrong.list()
    with GatewayEndpoints("http://127.0.0.1:9", token_of(shared)) as absent:
        for ask in (absent.list, lambda: absent.traffic("churn")):
            with pytest.raises(EndpointUnavailable):
                ask()
