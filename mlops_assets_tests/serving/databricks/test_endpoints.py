"""Deployments to Databricks endpoints, on the stand-in workspace."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mlops_assets.registry import ModelRegistry, Training
from mlops_assets.serving import AuthType, EndpointCredentials, ModelServingClient, TabularModelClient
from mlops_assets.serving.databricks.endpoints import DatabricksEndpoints, EndpointOptions
from mlops_assets.serving.endpoints import EndpointSpec
from mlops_assets.serving.errors import DeploymentFailed, EndpointNotFound, NotAuthorized, ServingError
from mlops_assets.serving.spec import Beside
from mlops_assets_tests.serving.conftest import wait_until
from mlops_assets_tests.workspace_stub import TOKEN, Fault, Workspace, workspace

MODEL = "main.ml.churn_model"


@pytest.fixture
def there(tmp_path: Path, model_path: Path) -> Iterator[Workspace]:
    """A workspace whose registry holds versions 1 and 2 of the model, and a version 3 that does not load."""
    with workspace(tmp_path) as made:
        made.models |= {(MODEL, "1"): model_path, (MODEL, "2"): model_path, (MODEL, "3"): tmp_path / "nothing"}
        yield made


def endpoints(there: Workspace, **options: Any) -> DatabricksEndpoints:
    from databricks.sdk import WorkspaceClient

    sdk = WorkspaceClient(host=there.url, token=TOKEN)
    return DatabricksEndpoints(sdk, EndpointOptions(**options), poll_seconds=0.02)


@pytest.fixture
def spec(deploy: Callable[..., EndpointSpec]) -> Callable[..., EndpointSpec]:
    return lambda version=1, **changes: deploy(version, **{"model_name": MODEL, "timeout_seconds": 60, **changes})


def version_of(status: Any) -> str:
    return str(status.served[0].version)


def test_an_endpoint_is_created_answers_and_is_left_alone_when_asked_again(
    there: Workspace, spec: Callable[..., EndpointSpec], churn: pd.DataFrame
) -> None:
    deployed = endpoints(there)
    deployed.apply(spec(tags={"team": "a"}, environment_variables={"LOG_LEVEL": "INFO"}))
    status = deployed.wait_ready("churn", 30)
    there.requests.clear()

    deployed.apply(spec(tags={"team": "a"}, environment_variables={"LOG_LEVEL": "INFO"}))

    assert (version_of(status), status.tags) == ("1", {"team": "a"})
    assert {request.split()[0] for request in there.requests} == {"GET"}
    client = TabularModelClient(there.url, EndpointCredentials(token=TOKEN))
    assert len(client.predict("churn", churn)) == len(churn)


def test_a_new_version_takes_over_and_tags_follow(there: Workspace, spec: Callable[..., EndpointSpec]) -> None:
    deployed = endpoints(there)
    deployed.apply(spec(tags={"old": "1", "kept": "1"}))
    deployed.wait_ready("churn", 30)

    deployed.apply(spec(2, tags={"kept": "2"}))

    status = deployed.wait_ready("churn", 30)
    assert (version_of(status), status.tags) == ("2", {"kept": "2"})


def test_a_failed_update_tells_the_build_log_and_keeps_what_is_served(
    there: Workspace, spec: Callable[..., EndpointSpec], churn: pd.DataFrame
) -> None:
    deployed = endpoints(there)
    deployed.apply(spec())
    deployed.wait_ready("churn", 30)
    deployed.apply(spec(3))

    with pytest.raises(DeploymentFailed, match="serves what it did before") as failed:
        deployed.wait_ready("churn", 30)

    assert f"building {MODEL}/3" in str(failed.value)
    assert version_of(deployed.get("churn")) == "1"
    client = TabularModelClient(there.url, EndpointCredentials(token=TOKEN))
    assert len(client.predict("churn", churn)) == len(churn)
    deployed.apply(spec(2))
    assert version_of(deployed.wait_ready("churn", 30)) == "2"


def test_a_change_under_way_is_waited_for_and_not_refused(there: Workspace, spec: Callable[..., EndpointSpec]) -> None:
    there.serving.build_seconds = 0.3
    deployed = endpoints(there)
    deployed.apply(spec())

    deployed.apply(spec(2))

    assert version_of(deployed.wait_ready("churn", 30)) == "2"


def test_permissions_go_by_id_and_the_gateway_gets_table_and_limit(
    there: Workspace, spec: Callable[..., EndpointSpec]
) -> None:
    options = {
        "permissions": {"Someone@example.com": "CAN_QUERY", "group:ml": "CAN_QUERY"},
        "inference_schema": "main.logs",
    }
    deployed = endpoints(there, **options)
    deployed.apply(spec(requests_per_minute=100))
    deployed.wait_ready("churn", 30)
    deployed.apply(spec(requests_per_minute=100))

    made = there.serving.endpoints["churn"]
    assert {each.get("user_name") or each["group_name"]: each["permission_level"] for each in made.permissions} == {
        "someone@example.com": "CAN_MANAGE",  # who deploys, and could not deploy again without it
        "ml": "CAN_QUERY",
    }
    assert made.gateway is not None
    assert made.gateway.as_dict() == {
        "inference_table_config": {
            "catalog_name": "main",
            "schema_name": "logs",
            "table_name_prefix": "churn",
            "enabled": True,
        },
        "rate_limits": [{"calls": 100, "key": "endpoint", "renewal_period": "minute"}],
    }


def test_what_is_asked_for_no_more_is_taken_away_and_what_never_was_is_left(
    there: Workspace, spec: Callable[..., EndpointSpec]
) -> None:
    from databricks.sdk.service.serving import AiGatewayUsageTrackingConfig

    mine = {"permissions": {"group:ml": "CAN_QUERY"}, "inference_schema": "main.logs"}
    endpoints(there, **mine).apply(spec(requests_per_minute=100))
    endpoints(there).wait_ready("churn", 30)
    made = there.serving.endpoints["churn"]
    assert made.gateway is not None
    made.gateway.usage_tracking_config = AiGatewayUsageTrackingConfig(enabled=True)

    endpoints(there).apply(spec())

    assert made.gateway.rate_limits in (None, [])
    assert made.gateway.inference_table_config is not None
    assert (made.gateway.inference_table_config.enabled, len(made.permissions)) == (True, 2)

    endpoints(there, permissions={}, inference_schema="").apply(spec())

    assert not made.gateway.inference_table_config.enabled
    assert made.permissions == [{"user_name": "someone@example.com", "permission_level": "CAN_MANAGE"}]
    assert made.gateway.usage_tracking_config == AiGatewayUsageTrackingConfig(enabled=True)
    there.requests.clear()
    endpoints(there, inference_schema="").apply(spec())
    assert {request.split()[0] for request in there.requests} == {"GET"}


@pytest.mark.parametrize("fault", [Fault.error(500, "INTERNAL_ERROR", "no"), Fault.html(502), Fault.html(200)])
def test_a_look_that_fails_once_does_not_fail_the_deployment(
    there: Workspace, spec: Callable[..., EndpointSpec], fault: Fault
) -> None:
    deployed = endpoints(there)
    deployed.apply(spec())
    there.fail("GET /api/2.0/serving-endpoints/churn", fault)

    assert version_of(deployed.wait_ready("churn", 30)) == "1"
    assert not there.faults.waiting


def test_what_the_workspace_refuses_is_told_in_the_clients_errors(
    there: Workspace, spec: Callable[..., EndpointSpec]
) -> None:
    deployed = endpoints(there)
    with pytest.raises(EndpointNotFound, match="churn"):
        deployed.get("churn")
    there.fail("POST /api/2.0/serving-endpoints", Fault.error(403, "PERMISSION_DENIED", "may not create"))
    with pytest.raises(NotAuthorized, match="may not create"):
        deployed.apply(spec())
    with pytest.raises(ServingError) as raised:
        deployed.get("other")
    assert TOKEN not in str(raised.value)


def test_two_versions_share_the_requests_and_each_is_asked_and_counted_by_name(
    there: Workspace, spec: Callable[..., EndpointSpec], churn: pd.DataFrame
) -> None:
    deployed = endpoints(there)
    beside = Beside(version="1", model_path="unused", percentage=70)
    deployed.apply(spec(2, beside=(beside,), compute_scale=8, min_replicas=0))
    status = deployed.wait_ready("churn", 30)
    client = TabularModelClient(there.url, EndpointCredentials(token=TOKEN))

    for _ in range(10):
        client.predict("churn", churn.head(1))
    names = {each.version: each.name for each in status.served}
    asked = deployed.ask("churn", churn.head(3), names["2"])

    assert {each.version: each.traffic_percentage for each in status.served} == {"2": 30, "1": 70}
    assert len(asked) == 3
    assert {name: count.requests for name, count in deployed.traffic("churn").items()} == {
        names["1"]: 7,
        names["2"]: 3 + 1,
    }
    config = there.serving.endpoints["churn"].config
    assert config is not None
    assert {(each.workload_size, each.scale_to_zero_enabled) for each in config.served_entities or ()} == {
        ("Medium", True)
    }


def test_a_deleted_endpoint_is_gone(there: Workspace, spec: Callable[..., EndpointSpec]) -> None:
    deployed = endpoints(there)
    deployed.apply(spec())
    wait_until(lambda: deployed.get("churn").ready)

    deployed.delete("churn")

    assert deployed.list() == []


def test_mlflow_deployments_drives_the_same_workspace(
    there: Workspace, spec: Callable[..., EndpointSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.deployments import get_deploy_client

    monkeypatch.setenv("DATABRICKS_HOST", there.url)
    monkeypatch.setenv("DATABRICKS_TOKEN", TOKEN)
    entity = {"entity_name": MODEL, "entity_version": "1", "workload_size": "Small", "scale_to_zero_enabled": True}
    client = get_deploy_client("databricks")

    client.create_endpoint(config={"name": "churn", "config": {"served_entities": [entity]}})
    wait_until(lambda: client.get_endpoint("churn")["state"]["ready"] == "READY")

    row = {"tenure": 3, "charges": 20.0, "contract": "monthly", "signed": "2024-01-01T00:00:00"}
    answer = client.predict(endpoint="churn", inputs={"dataframe_records": [row]})
    assert len(answer["predictions"]) == 1


def test_chat_passes_through_the_sdk_with_the_same_errors(there: Workspace) -> None:
    answer = {
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}}],
        "object": "chat.completion",
    }
    there.fail("POST /serving-endpoints/assistant/invocations", Fault(200, json.dumps(answer).encode()))
    client = ModelServingClient(there.url, EndpointCredentials(token=TOKEN), timeout_seconds=5)

    answered = client.chat("assistant", [{"role": "user", "content": "hi"}], max_tokens=5)

    assert answered["choices"][0]["message"]["content"] == "hello"
    with pytest.raises(EndpointNotFound):
        client.complete("assistant", "once upon a time")
    assert TOKEN not in repr(client)


def test_the_references_client_gets_churn_probabilities_from_a_workspace_too(there: Workspace, tmp_path: Path) -> None:
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    features = pd.DataFrame(
        {
            "tenure": [12, 24, 36],
            "monthly_charges": [50.0, 70.0, 90.0],
            "contract_type": ["Month-to-month", "One year", "Two year"],
            "total_charges": [600.0, 1680.0, 3240.0],
        }
    )
    numbers = ["tenure", "monthly_charges", "total_charges"]
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["contract_type"]), ("passthrough", numbers)
    )
    fitted = make_pipeline(encode, LogisticRegression()).fit(features, [True, False, False])
    kinds = {"contract_type": "string", **dict.fromkeys(numbers, "double")}
    outputs = [("prediction", "boolean"), ("probability", "double")]
    registry = ModelRegistry.below(tmp_path / "mlflow")
    version = registry.log("churn", "churn", "", Training(fitted, list(kinds.items()), outputs, {}, {}, {}))
    there.models["main.ml.churn", "1"] = registry.local_path(version)
    deployed = endpoints(there)
    deployed.apply(EndpointSpec(name="churn", model_name="main.ml.churn", version="1", model_path="unused"))
    deployed.wait_ready("churn", 30)

    predictions = TabularModelClient(
        workspace_url=there.url, credentials=EndpointCredentials(auth_type=AuthType.TOKEN, token=TOKEN)
    ).predict(endpoint_name="churn", features=features)

    assert predictions["probability"].tolist() == pytest.approx(fitted.predict_proba(features)[:, 1])
