"""Each field of the reference's deployment document, changed, has its documented effect on the running gateway."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import dagster as dg
import httpx
import psutil
import pytest

from mlops_assets.serving.gateway_process import ensure_running
from mlops_assets_tests.fields.life import DEPLOYMENT, Life, life_in, metadata
from mlops_assets_tests.serving.conftest import wait_until, workers_of

pytestmark = pytest.mark.slow
field = pytest.mark.field
KEY = dg.AssetKey(["shop", "deployment", "production"])
FOR_A_WORKER = 2000  # rows, more than the gateway answers in its own process


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    """Versions 1 and 2 of the model `churn`; the endpoint `shop` serves 1."""
    with life_in(tmp_path_factory.mktemp("deployment")) as made:
        assert made.run("bronze", "silver", "gold/customer_features", "gold/training_set", "model").success
        better = {"gate": {"min_gain": -1.0}, "hyperparameters": {"C": 0.5}}
        assert made.run("gold/training_set", "model", training=better).success
        deployed(made)
        yield made


def deployed(life: Life, **fields: Any) -> dict[str, Any]:
    """What the deployment asset says of its run."""
    document = {**DEPLOYMENT, "model_version": "1", "endpoint_name": "shop", **fields}
    result = life.run(f"deployment/{document['environment']}", deployment=document)
    assert result.success, failure(result)
    return metadata(result, document["environment"])


def failure(result: dg.ExecuteInProcessResult) -> str:
    """Why the run's first failed step did."""
    failed = next(event.step_failure_data for event in result.all_events if event.is_step_failure)
    return f"{failed.error} {failed.user_failure_data}"


def http(life: Life, token: bool = True) -> httpx.Client:
    gateway = ensure_running(life.home)
    headers = {"Authorization": f"Bearer {gateway.token_file.read_text().strip()}"} if token else {}
    return httpx.Client(base_url=gateway.url, headers=headers, trust_env=False, timeout=60)


def asked(client: httpx.Client, endpoint: str = "shop", rows: int = 1) -> httpx.Response:
    """The gateway's answer for so many customers."""
    row = {"tenure": 3.0, "charges": 60.0}
    return client.post(f"/serving-endpoints/{endpoint}/invocations", json={"dataframe_records": [row] * rows})


def described(life: Life, endpoint: str = "shop") -> dict[str, Any]:
    """The endpoint as the gateway describes it."""
    with http(life) as client:
        return dict(client.get(f"/api/2.0/serving-endpoints/{endpoint}").json())


def entity(life: Life, endpoint: str = "shop") -> dict[str, Any]:
    return dict(described(life, endpoint)["config"]["served_entities"][0])


def count(life: Life) -> int:
    """Worker processes behind the gateway's endpoints; one that answers its last request is not counted."""
    with http(life) as client:
        lines = client.get("/metrics").text.splitlines()
    return sum(int(float(line.split()[-1])) for line in lines if line.startswith("mlops_gateway_workers{"))


def workers(life: Life) -> list[psutil.Process]:
    """Those processes, once the ones that a change has left have ended."""
    gateway = ensure_running(life.home).pid
    wait_until(lambda: len(workers_of(gateway)) == count(life))
    return [psutil.Process(pid) for pid in workers_of(gateway)]


@field("deployment.model_name", "The registered model that is served; one that nobody registered is refused.")
def test_the_named_model_is_served(life: Life) -> None:
    assert entity(life)["entity_name"] == "churn"
    unknown = life.run(
        "deployment", training={"registry_model_name": "other"}, deployment={"model_name": "other"}
    )  # fmt: skip
    assert not unknown.success
    assert "other" in failure(unknown)


@field("deployment.model_version", "Which version is served: a number, an alias, or latest, the newest that passed.")
@pytest.mark.parametrize(("version", "number"), [("champion", "1"), ("latest", "2"), ("1", "1")])
def test_the_version_is_the_one_asked_for(life: Life, version: str, number: str) -> None:
    life.registry.promote(life.registry.version("churn", "1"))
    assert deployed(life, model_version=version)["version"] == number
    assert entity(life)["entity_version"] == number


@field("deployment.environment", "Names the asset; in production, and there alone, the version becomes the champion.")
@pytest.mark.parametrize(("environment", "champion"), [("staging", "1"), ("production", "2")])
def test_only_production_makes_a_champion(life: Life, environment: str, champion: str) -> None:
    life.registry.promote(life.registry.version("churn", "1"))
    deployed(life, environment=environment, model_version="2")
    found = life.registry.champion("churn")
    assert found is not None
    assert found.version == champion


@field("deployment.deployment_type", "An endpoint that answers over HTTP, or batch scoring, where none is made.")
@pytest.mark.parametrize(("kind", "status"), [("batch", 404), ("job", 404), ("serving_endpoint", 200)])
def test_only_a_serving_endpoint_answers_over_http(life: Life, kind: str, status: int) -> None:
    deployed(life, deployment_type=kind, endpoint_name="typed")
    with http(life) as client:
        assert asked(client, "typed").status_code == status


@field("deployment.endpoint_name", "The endpoint's name; model and environment where it is not given.")
def test_an_endpoint_without_a_name_is_named_by_model_and_environment(life: Life) -> None:
    unnamed = life.run("deployment", deployment={"model_version": "1"})
    assert metadata(unnamed, "production")["endpoint"] == "churn-production"
    with http(life) as client:
        assert (asked(client, "churn-production").status_code, asked(client).status_code) == (200, 200)
        client.delete("/api/2.0/serving-endpoints/churn-production")


@field("deployment.compute_type", "What the endpoint computes on; a laptop refuses a gpu and says who has one.")
def test_a_gpu_is_refused_where_there_is_none(life: Life) -> None:
    refused = life.run("deployment", deployment={"compute_type": "gpu"})
    assert "gpu needs a Databricks platform" in failure(refused)


def test_the_engine_is_onnx_where_it_is_asked_for_and_within_its_tolerance(life: Life) -> None:
    told = deployed(life, serving_engine="onnx", onnx_tolerance=1e-9)
    assert (told["onnx_precision"], told["onnx_labels_differing"], told["onnx_rows"]) == ("float64", 0, 2048)
    assert 0 <= told["onnx_deviation"] <= 1e-9
    assert life.registry.version("churn", "1").tag("onnx_rows") == "2048"
    assert entity(life)["onnx_path"]
    with http(life) as client:
        graph = asked(client).json()["predictions"][0]
    deployed(life)
    assert "onnx_path" not in entity(life)
    with http(life) as client:
        assert asked(client).json()["predictions"][0]["probability"] == pytest.approx(graph["probability"], abs=1e-9)


def test_a_graph_beyond_its_tolerance_is_refused_and_the_endpoint_stays_as_it_is(life: Life) -> None:
    deployed(life)
    refused = life.run("deployment", deployment={"serving_engine": "onnx", "onnx_tolerance": 1e-30})
    assert "onnx_tolerance: as ONNX in float64 the model deviates" in failure(refused)
    assert "onnx_path" not in entity(life)
    with http(life) as client:
        assert asked(client).status_code == 200


@field("deployment.compute_scale", "Here the threads of each worker process.")
def test_the_scale_is_the_threads_of_a_worker(life: Life) -> None:
    deployed(life, compute_scale=2)
    assert entity(life)["threads"] == 2
    deployed(life)
    assert entity(life)["threads"] == 1


@field("deployment.min_replicas", "So many worker processes at least.")
def test_so_many_workers_run(life: Life) -> None:
    before = count(life)
    deployed(life, min_replicas=2, max_replicas=2)
    assert count(life) == before + 1
    deployed(life)
    assert count(life) == before


@field("deployment.autoscaling_enabled", "Whether workers are added under load and taken away after it.")
@field("deployment.max_replicas", "So many worker processes at most, where auto-scaling is enabled.")
@pytest.mark.parametrize(("enabled", "more"), [(True, 1), (False, 0)])
def test_load_adds_workers_up_to_the_maximum_where_scaling_is_enabled(life: Life, enabled: bool, more: int) -> None:
    deployed(life, autoscaling_enabled=enabled, max_replicas=2)
    before, statuses = count(life), []
    held_up = workers(life)

    def user() -> None:
        with http(life) as client:
            statuses.append(asked(client, rows=FOR_A_WORKER).status_code)

    users = [threading.Thread(target=user) for _ in range(24)]
    for worker in held_up:
        worker.suspend()
    try:
        for each in users:
            each.start()
        if enabled:
            wait_until(lambda: count(life) > before, 60)
        time.sleep(6)
        assert count(life) == before + more
    finally:
        for worker in held_up:
            worker.resume()
        for each in users:
            each.join()
    assert statuses == [200] * len(users)


@field("deployment.enable_access_control", "Whether predictions need the token.")
@pytest.mark.parametrize(("enabled", "status"), [(False, 200), (True, 401)])
def test_predictions_need_the_token_where_access_is_controlled(life: Life, enabled: bool, status: int) -> None:
    deployed(life, enable_access_control=enabled)
    with http(life) as owner, http(life, token=False) as anyone:
        assert (asked(owner).status_code, asked(anyone).status_code) == (200, status)


@field("deployment.timeout_seconds", "How long an answer may take before the caller gets an error.")
def test_an_answer_that_takes_longer_is_an_error(life: Life) -> None:
    deployed(life, timeout_seconds=1)
    asleep = workers(life)
    try:
        for worker in asleep:
            worker.suspend()
        with http(life) as client:
            assert asked(client, rows=FOR_A_WORKER).status_code == 504
    finally:
        for worker in asleep:
            worker.resume()


@field("deployment.tags", "Are on the endpoint and the asset.")
def test_tags_are_on_the_endpoint_and_the_asset(life: Life) -> None:
    deployed(life, tags={"team": "retention"})
    assert described(life)["tags"] == [{"key": "team", "value": "retention"}]
    made = life.definitions(deployment={"tags": {"team": "retention"}}).resolve_assets_def(KEY)
    assert made.tags_by_key[KEY]["team"] == "retention"


@field("deployment.environment_variables", "Are in the environment of the endpoint's workers.")
def test_the_endpoint_has_its_variables(life: Life) -> None:
    deployed(life, environment_variables={"LOG_LEVEL": "DEBUG"})
    assert entity(life)["environment_vars"] == {"LOG_LEVEL": "DEBUG"}
