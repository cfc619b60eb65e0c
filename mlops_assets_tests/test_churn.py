"""The reference's six examples as one project, run from end to end on customers whose every mistake is known."""

from collections import Counter
from collections.abc import Iterator

import dagster as dg
import pandas as pd
import polars as pl
import pytest

from mlops_assets.lake import delta
from mlops_assets.samples.churn import DRIFT, PLANTED
from mlops_assets.serving import AuthType, EndpointCredentials, TabularModelClient
from mlops_assets.serving.gateway_process import ensure_running
from mlops_assets_tests.config.documents import EXAMPLES
from mlops_assets_tests.flights import CONFIGS, Flights, flights_in
from mlops_assets_tests.rules.test_seed_expressions import EXPECTED

ROWS, DAYS = 750, 3
FILES = {"data": "data/customer_data.yaml", "deployment": "deployment/staging.yaml"}
BREAKS = {
    "no_id": "has_an_id",
    "no_customer": "known_customer",
    "negative_tenure": "tenure_is_a_time",
    "unpaid": "a_month_is_paid",
    "unborn": "born_already",
    "unknown_status": "known_status",
    "child_alone": "adult_age",
    "wrong_total": "amount_is_quantity_times_price",
    "wrong_price": "pricing_consistency",
}


@pytest.mark.parametrize("kind", EXAMPLES)
def test_the_document_is_the_references_example_word_for_word(kind: str) -> None:
    first, _, rest = (CONFIGS / "churn" / FILES.get(kind, f"{kind}.yaml")).read_text().partition("\n")
    assert first.startswith("# yaml-language-server")
    assert rest == EXAMPLES[kind]


@pytest.fixture(scope="module")
def churn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flights]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("CHURN_CUSTOMERS", str(ROWS))
        environment.setenv("CHURN_THROUGH", f"2024-01-0{DAYS}")
        with flights_in(tmp_path_factory.mktemp("home"), CONFIGS / "churn") as project:
            assert project.run("pipeline").success
            yield project


@pytest.mark.slow
def test_the_fifteen_conditions_of_the_reference_find_exactly_what_was_planted(churn: Flights) -> None:
    rules = next(document for document in churn.project.data if document.name == "customers").config.validation_rules
    assert {rule.condition for rule in rules} == set(EXPECTED)
    bad = delta.scan(churn.path("silver", "customers_quarantine")).collect()["_failed_rules"].explode()
    severe = {rule.name for rule in rules if rule.severity == "error"}
    planted = DAYS * ROWS // 250
    assert Counter(name for name in bad if name in severe) == dict.fromkeys(BREAKS.values(), planted)
    assert {*PLANTED} - {*BREAKS} == {"bad_email"}
    silver = delta.scan(churn.path("silver", "customers")).collect()
    assert silver.filter(~pl.col("email").str.contains("@")).height == planted


@pytest.mark.slow
def test_customers_without_an_identifier_are_in_quarantine_and_no_other(churn: Flights) -> None:
    lost = delta.scan(churn.path("silver", "customer_data_quarantine")).collect()
    assert lost["customer_identifier"].null_count() == lost.height == DAYS * len(range(7, ROWS, 200))
    assert delta.rows(churn.path("silver", "customer_data")) == DAYS * ROWS - lost.height


@pytest.mark.slow
def test_the_references_serving_client_gets_a_probability_a_row(churn: Flights) -> None:
    gateway = ensure_running(churn.home)
    credentials = EndpointCredentials(auth_type=AuthType.TOKEN, token=gateway.token_file.read_text().strip())
    client = TabularModelClient(workspace_url=gateway.url, credentials=credentials)
    feature_data = pd.DataFrame(
        {
            "tenure": [12, 24, 36],
            "monthly_charges": [50.0, 70.0, 90.0],
            "contract_type": ["Month-to-month", "One year", "Two year"],
            "total_charges": [600.0, 1680.0, 3240.0],
        }
    )
    predictions = client.predict(endpoint_name="customer-churn-classifier", features=feature_data)
    assert predictions["probability"].between(0, 1).all()
    assert predictions["probability"].is_monotonic_decreasing


@pytest.mark.slow
def test_the_planted_drift_is_found_on_its_day_costs_accuracy_and_asks_for_a_training(churn: Flights) -> None:
    arrived = {"config": {"through": "2024-01-09"}}
    ops = {f"churn__source__{name}": arrived for name in ("customer_data", "customers")}
    assert churn.run("monitor", ops).success
    drift = delta.scan(churn.path("monitoring", "drift")).filter(pl.col("rows") >= 500).collect()
    found = drift.filter(pl.col("verdict").is_in(["drift", "severe"]))["window"].unique().sort().to_list()
    assert found == [str(DRIFT), "2024-01-09"]
    measured = delta.scan(churn.path("monitoring", "model_metrics")).collect()
    accuracy = measured.filter((pl.col("metric") == "accuracy") & (pl.col("labelled") >= 500))
    assert accuracy.filter(pl.col("window") < str(DRIFT))["value"].min() > 0.8
    assert accuracy.filter(pl.col("window") >= str(DRIFT))["value"].max() < 0.7
    sensor = churn.definitions.resolve_sensor_def("churn_drift_sensor")
    with dg.build_sensor_context(churn.instance, definitions=churn.definitions) as context:
        asked = sensor.evaluate_tick(context).run_requests or []
    assert [request.run_key for request in asked] == ["churn:retrain:2024-01-09:v1"]
