import json
import socket
from pathlib import Path

import httpx
import psutil
import pytest

from mlops_assets.serving.gateway_process import GatewayAddress
from mlops_assets_tests.serving.conftest import invoke, kill, token_of, wait_until, workers_of

ENDPOINTS = "/api/2.0/serving-endpoints"
ROW = {"tenure": 3, "charges": 20.0, "contract": "monthly", "signed": "2024-01-01"}
BODIES = [
    {"dataframe_split": {"columns": list(ROW), "data": [list(ROW.values())]}},
    {"dataframe_records": [ROW]},
    {"instances": [ROW]},
    {"instances": [list(ROW.values())]},
    {"inputs": {name: [value] for name, value in ROW.items()}},
    {"inputs": [list(ROW.values())]},
    {"dataframe_records": [ROW], "client_request_id": "mine", "params": {}},
]


@pytest.mark.parametrize("body", BODIES)
def test_every_form_of_the_scoring_protocol_gives_the_same_prediction(
    http: httpx.Client, body: dict[str, object]
) -> None:
    answer = invoke(http, body)

    assert answer.status_code == 200
    assert answer.headers["served-model-name"] == "churn_model-1"
    assert len(answer.headers["x-request-id"]) == 32
    assert answer.json() == invoke(http, BODIES[0]).json()
    assert set(answer.json()["predictions"][0]) == {"prediction", "probability"}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"dataframe_records": [{**ROW, "tenure": "secret-value"}]}, "field 'tenure'"),
        ({"dataframe_records": [{"tenure": 1}]}, "field 'charges'"),
        ({"dataframe_records": [ROW], "inputs": [ROW]}, "exactly one of"),
        ({}, "exactly one of"),
        ({"dataframe_split": {"columns": ["tenure"], "data": [[1, 2]]}}, "dataframe_split.data[0]"),
        ({"dataframe_split": []}, "dataframe_split"),
        ({"dataframe_records": {}}, "dataframe_records"),
        ({"dataframe_records": [1]}, "dataframe_records[0]"),
        ({"inputs": {"tenure": [1, 2], "charges": [1]}}, "different lengths"),
        ([1], "a JSON object is wanted"),
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        (b'{"dataframe_records": [{"tenure": NaN}]}', "a missing value is null"),
        (b'{"dataframe_records": [{"tenure": ' + b"9" * 5000 + b"}]}", "not JSON"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_a_bad_body_answers_400_naming_what_is_wrong_and_no_value(http: httpx.Client, body: object, words: str) -> None:
    answer = invoke(http, body)

    assert answer.status_code == 400
    assert answer.json()["error_code"] == "INVALID_PARAMETER_VALUE"
    assert words in answer.json()["message"]
    assert "secret-value" not in answer.text


def test_a_body_over_16_mb_answers_413(http: httpx.Client) -> None:
    too_much = b" " * (16 * 1024 * 1024 + 1)
    declared = invoke(http, too_much)
    streamed = http.post("/serving-endpoints/churn/invocations", content=iter([too_much]))

    assert declared.status_code == streamed.status_code == 413
    assert declared.json()["error_code"] == "REQUEST_TOO_LARGE"


@pytest.mark.parametrize(
    ("header", "status", "code"),
    [
        (None, 401, "UNAUTHENTICATED"),
        ("Basic abc", 401, "UNAUTHENTICATED"),
        ("Bearer wrong", 403, "PERMISSION_DENIED"),
        ("Bearer täuschung", 403, "PERMISSION_DENIED"),
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ENDPOINTS), ("POST", ENDPOINTS), ("POST", "/serving-endpoints/churn/invocations")],
)
def test_nothing_but_the_health_routes_answers_without_the_token(
    shared: GatewayAddress, header: str | None, status: int, code: str, method: str, path: str
) -> None:
    headers = {} if header is None else {"Authorization": header.encode()}

    answer = httpx.request(method, shared.url + path, headers=headers, json=BODIES[0], trust_env=False)

    assert (answer.status_code, answer.json()["error_code"]) == (status, code)
    assert httpx.get(f"{shared.url}/health", trust_env=False).status_code == 200


def test_the_token_is_for_its_owner_only(shared: GatewayAddress) -> None:
    assert shared.token_file.stat().st_mode & 0o777 == 0o600


def test_an_unknown_endpoint_or_path_answers_404(http: httpx.Client) -> None:
    for answer in (invoke(http, BODIES[0], "nobody"), http.get(f"{ENDPOINTS}/nobody"), http.get("/nothing")):
        assert answer.status_code == 404
        assert answer.json()["error_code"] == "RESOURCE_DOES_NOT_EXIST"


def test_an_endpoint_is_described_as_databricks_does(http: httpx.Client) -> None:
    from databricks.sdk.service.serving import ServingEndpointDetailed

    endpoint = ServingEndpointDetailed.from_dict(http.get(f"{ENDPOINTS}/churn").json())

    assert endpoint.state.ready.value == "READY"
    assert endpoint.state.config_update.value == "NOT_UPDATING"
    assert [(each.entity_name, each.entity_version) for each in endpoint.config.served_entities] == [
        ("churn_model", "1")
    ]
    assert [(route.served_model_name, route.traffic_percentage) for route in endpoint.config.traffic_config.routes] == [
        ("churn_model-1", 100)
    ]
    assert http.get(ENDPOINTS).json()["endpoints"][0]["name"] == "churn"


ENTITY = {"entity_name": "m", "entity_version": "1", "model_path": "/nowhere"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "a b", "config": {"served_entities": [ENTITY]}}, "name"),
        ({"name": "../a", "config": {"served_entities": [ENTITY]}}, "name"),
        (
            {"name": "a", "config": {"served_entities": [{**ENTITY, "entity_version": "latest"}]}},
            "config.served_entities.0.entity_version",
        ),
        ({"name": "a", "config": {"served_entities": []}}, "config.served_entities"),
        ({"name": "a", "config": {"served_entities": [ENTITY]}, "timeout": 3}, "timeout"),
        ({"name": "a", "config": {"served_entities": [ENTITY, {**ENTITY, "entity_version": "2"}]}}, "config"),
        (
            {
                "name": "a",
                "config": {
                    "served_entities": [ENTITY],
                    "traffic_config": {"routes": [{"served_model_name": "m-1", "traffic_percentage": 90}]},
                },
            },
            "config",
        ),
        ({"config": {"served_entities": [ENTITY]}}, "name"),
    ],
)
def test_a_bad_endpoint_body_answers_400_naming_the_field(
    http: httpx.Client, body: dict[str, object], field: str
) -> None:
    answer = http.post(ENDPOINTS, json=body)

    assert answer.status_code == 400
    assert answer.json()["message"].startswith(f"{field}:")


def test_an_endpoint_that_exists_is_not_created_again(http: httpx.Client) -> None:
    answer = http.post(ENDPOINTS, json={"name": "churn", "config": {"served_entities": [ENTITY]}})

    assert (answer.status_code, answer.json()["error_code"]) == (400, "RESOURCE_ALREADY_EXISTS")


def test_tags_are_added_replaced_and_deleted(http: httpx.Client) -> None:
    tags = f"{ENDPOINTS}/churn/tags"
    http.patch(tags, json={"add_tags": [{"key": "team", "value": "a"}, {"key": "tier", "value": "1"}]})

    after = http.patch(tags, json={"add_tags": [{"key": "team", "value": "b"}], "delete_tags": ["tier"]})

    assert after.json() == {"tags": [{"key": "team", "value": "b"}]}
    http.patch(tags, json={"delete_tags": ["team"]})


def test_metrics_count_requests_rows_and_readiness(http: httpx.Client) -> None:
    invoke(http, {"dataframe_records": [ROW, ROW]})

    text = http.get("/metrics").text

    assert 'mlops_gateway_requests_total{endpoint="churn",served_model="churn_model-1",status="200"}' in text
    assert 'mlops_gateway_endpoint_ready{endpoint="churn"} 1.0' in text
    assert 'mlops_gateway_request_seconds_count{endpoint="churn",served_model="churn_model-1"}' in text


def worker_of(shared: GatewayAddress) -> psutil.Process:
    return psutil.Process(workers_of(shared.pid)[0])


def test_a_worker_listens_to_nobody_but_its_gateway_and_shares_its_imports(shared: GatewayAddress) -> None:
    worker = worker_of(shared)

    assert worker.net_connections("inet") == []
    assert worker.memory_info().rss < 250e6
    assert worker.memory_full_info().uss < 60e6
    assert psutil.Process(shared.pid).memory_info().rss < 150e6


def test_the_front_process_imports_nothing_heavy() -> None:
    import subprocess
    import sys

    program = (
        "import sys, mlops_assets.serving.gateway;"
        "heavy = ('pandas', 'sklearn', 'mlflow', 'scipy', 'deltalake', 'pyarrow', 'polars');"
        "print([name for name in heavy if name in sys.modules])"
    )
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert output.stdout.strip() == "[]"


def test_a_killed_worker_comes_back_and_the_request_that_met_it_is_answered(
    http: httpx.Client, shared: GatewayAddress
) -> None:
    before = worker_of(shared).pid
    kill(before)

    answer = invoke(http, BODIES[0])

    assert answer.status_code == 200
    wait_until(lambda: http.get("/ready").status_code == 200)
    assert worker_of(shared).pid != before


def test_what_a_served_models_processes_print_is_there_as_databricks_gives_it(
    http: httpx.Client, tmp_path: Path
) -> None:
    place = "/api/2.0/serving-endpoints/churn/served-models"
    entity = {"name": "broken", "entity_name": "m", "entity_version": "9", "model_path": str(tmp_path)}
    broken = {"name": "broken", "config": {"served_entities": [entity]}}
    http.post("/api/2.0/serving-endpoints", json=broken)
    wait_until(
        lambda: "no MLflow model directory" in http.get(place.replace("churn", "broken") + "/broken/build-logs").text
    )

    assert "serves" in http.get(f"{place}/churn_model-1/logs").json()["logs"]
    assert http.get(f"{place}/churn_model-77/logs").status_code == 404
    http.delete("/api/2.0/serving-endpoints/broken")


def test_a_failed_update_keeps_what_was_served_and_says_why(http: httpx.Client, tmp_path: Path) -> None:
    described = http.get(f"{ENDPOINTS}/churn").json()
    before = described["config"]
    entity = {"entity_name": "churn_model", "entity_version": "2", "model_path": str(tmp_path)}
    settings = {"enable_access_control": False, "requests_per_minute": 1}
    begun = http.put(f"{ENDPOINTS}/churn/config", json={"served_entities": [entity], **settings})
    second = http.put(f"{ENDPOINTS}/churn/config", json={"served_entities": [entity]})

    wait_until(lambda: state(http)["config_update"] != "IN_PROGRESS")

    assert begun.json()["state"]["config_update"] == "IN_PROGRESS"
    assert begun.json()["pending_config"]["served_entities"][0]["entity_version"] == "2"
    assert (second.status_code, second.json()["error_code"]) == (409, "RESOURCE_CONFLICT")
    assert state(http)["config_update"] == "UPDATE_FAILED"
    assert "no file named MLmodel" in state(http)["message"]
    kept = http.get(f"{ENDPOINTS}/churn").json()
    assert {name: kept[name] for name in settings} == {name: described[name] for name in settings}
    assert invoke(http, BODIES[0]).headers["served-model-name"] == "churn_model-1"
    served = {name: value for name, value in before["served_entities"][0].items() if name != "state"}
    http.put(f"{ENDPOINTS}/churn/config", json={"served_entities": [served]})
    wait_until(lambda: state(http)["config_update"] == "NOT_UPDATING")


def state(http: httpx.Client) -> dict[str, str]:
    found: dict[str, str] = http.get(f"{ENDPOINTS}/churn").json()["state"]
    return found


def test_an_endpoint_that_never_came_up_answers_503_and_can_be_deleted(http: httpx.Client) -> None:
    http.post(f"{ENDPOINTS}/", json={"name": "broken", "config": {"served_entities": [ENTITY]}})
    wait_until(lambda: http.get(f"{ENDPOINTS}/broken").json()["state"]["config_update"] == "UPDATE_FAILED")

    answer = invoke(http, BODIES[0], "broken")

    assert (answer.status_code, answer.json()["error_code"]) == (503, "TEMPORARILY_UNAVAILABLE")
    assert http.get("/ready").json() == {"ready": False, "not_ready": ["broken"]}
    assert http.delete(f"{ENDPOINTS}/broken").status_code == 200
    assert http.get(f"{ENDPOINTS}/broken").status_code == 404


def test_a_client_that_hangs_up_leaves_the_gateway_well(http: httpx.Client, shared: GatewayAddress) -> None:
    port = int(shared.url.rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(
            b"POST /serving-endpoints/churn/invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n"
            b"Authorization: Bearer " + token_of(shared).encode() + b"\r\n\r\n{"
        )

    assert invoke(http, BODIES[0]).status_code == 200
    assert json.loads(http.get("/health").text) == {"status": "ok"}
