"""Predictions as runs make them: with the pipeline or by a job of its own, in windows, by the champion of the time."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import polars as pl
import pytest

from mlops_assets.cli.session import QUIET
from mlops_assets.config import ConfigError
from mlops_assets.lake import delta
from mlops_assets_tests.fields.life import DATA, DEPLOYMENT, ROWS, Life, life_in, metadata

PREDICTIONS = dg.AssetKey(["shop", "gold", "predictions"])
BY_ITSELF = {**DEPLOYMENT, "deployment_type": "job", "schedule": {"cron": "15 2 * * *", "timezone": "Europe/Oslo"}}
PARTED = {**DATA, "partitions": {"type": "daily", "column": "at", "start": "2024-01-01"}}
LEARNED = ("bronze", "silver", "gold/customer_features", "gold/training_set", "model")


@pytest.fixture
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    with life_in(tmp_path_factory.mktemp("scoring")) as made:
        yield made


def job_of(life: Life, name: str, **changes: Any) -> Any:
    return life.definitions(**changes).resolve_job_def(f"shop_{name}")


def keys_of(job: Any) -> set[str]:
    return {"/".join(key.path[1:]) for key in job.asset_layer.executable_asset_keys}


def test_a_deployment_of_type_job_scores_in_a_job_of_its_own_on_its_own_schedule(life: Life) -> None:
    scoring = keys_of(job_of(life, "score", deployment=BY_ITSELF))
    schedule = life.definitions(deployment=BY_ITSELF).resolve_schedule_def("shop_score_schedule")

    assert "gold/predictions" in scoring
    assert {"monitoring/drift", "monitoring/performance"} < scoring
    for other in ("pipeline", "monitor", "retrain"):
        assert not scoring & keys_of(job_of(life, other, deployment=BY_ITSELF))
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("15 2 * * *", "Europe/Oslo")
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
    assert "gold/predictions" in keys_of(job_of(life, "pipeline", deployment={"deployment_type": "batch"}))
    with pytest.raises(ConfigError, match="only a deployment of type 'job' in production"):
        life.project(deployment={**BY_ITSELF, "deployment_type": "batch"})


@pytest.mark.slow
def test_the_job_scores_what_is_new_once_and_starts_no_endpoint(life: Life) -> None:
    def run(name: str) -> dg.ExecuteInProcessResult:
        job = job_of(life, name, deployment=BY_ITSELF)
        found: dg.ExecuteInProcessResult = job.execute_in_process(instance=life.instance, run_config=QUIET)
        return found

    assert run("pipeline").success
    assert not (life.home / "gateway").exists()
    life.arrive(1)
    assert run("monitor").success
    assert not delta.exists(life.table("gold", "predictions"))

    scored = [metadata(run("score"), "predictions")["rows_scored"] for _ in range(2)]

    assert scored == [ROWS, 0]
    assert life.read("gold", "predictions")["id"].n_unique() == ROWS


@pytest.mark.slow
def test_a_window_is_scored_again_by_the_champion_of_its_time_and_each_row_is_there_once(life: Life) -> None:
    def run(*layers: str, partition: str | None = None, **changes: Any) -> dg.ExecuteInProcessResult:
        job = job_of(life, "pipeline", data=PARTED, **changes)
        keys = [each for each in job.asset_layer.executable_asset_keys if "/".join(each.path[1:]).startswith(layers)]
        found: dg.ExecuteInProcessResult = job.execute_in_process(
            instance=life.instance, run_config=QUIET, asset_selection=keys, partition_key=partition
        )
        return found

    def predictions() -> pl.DataFrame:
        return life.read("gold", "predictions").sort("id")

    batch = {**DEPLOYMENT, "deployment_type": "batch"}
    run(*LEARNED, "deployment", deployment=batch)
    for day in (1, 2):
        life.arrive(day)
    run("bronze", "silver", "gold/customer_features", "gold/predictions", "monitoring/drift")
    first = predictions()
    assert first.group_by("partition").len().sort("partition").rows() == [("2024-01-02", ROWS), ("2024-01-03", ROWS)]
    assert set(first["version"]) == {"1"}

    run("gold/training_set", "model", training={"gate": {"min_gain": -1.0}, "hyperparameters": {"C": 0.5}})
    second = life.registry.version("churn", "2")
    life.registry.tag(life.registry.version("churn", "1"), champion_since="2024-01-01T00:00:00+00:00")
    life.registry.promote(second)
    life.registry.tag(second, champion_since="2024-01-03T12:00:00+00:00", trained_until="2024-01-01T12:00:00+00:00")
    again = run("gold/predictions", partition="2024-01-03")

    assert metadata(again, "predictions")["version"] == "2"
    run("monitoring/drift")
    assert life.read("monitoring", "drift")["rows"].unique().to_list() == [ROWS]  # nothing is counted twice
    both = predictions()
    assert both["id"].to_list() == first["id"].to_list()
    assert both.group_by("partition").agg(pl.col("version").unique()).sort("partition")["version"].to_list() == [
        ["1"],
        ["2"],
    ]
    assert metadata(run("gold/predictions", partition="2024-01-02"), "predictions")["version"] == "1"

    life.arrive(3)
    run("bronze", "silver", "gold/customer_features")
    assert metadata(run("gold/predictions", partition="2024-01-04"), "predictions")["rows_scored"] == ROWS
    assert metadata(run("gold/predictions"), "predictions")["rows_scored"] == 0
    assert predictions()["id"].n_unique() == predictions().height == 3 * ROWS
