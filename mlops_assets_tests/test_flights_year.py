"""The figures that the example stands for, on the year they were measured on. Minutes, not seconds."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from mlops_assets.cli.report import Month, read_months
from mlops_assets.config import load_project
from mlops_assets.lake import delta
from mlops_assets.lake.locations import Warehouse
from mlops_assets.registry import ModelRegistry
from mlops_assets_tests.flights import CONFIGS, Flights, flights_in

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def january_to_august(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flights]:
    with flights_in(tmp_path_factory.mktemp("home"), through="2013-08") as project:
        yield project


def test_trained_on_january_to_august_the_model_knows_a_random_fifth_and_the_later_tenth_less(
    january_to_august: Flights, capsys: pytest.CaptureFixture[str]
) -> None:
    random_fifth = {"split_method": "random", "split_ratios": [0.8, 0.2]}
    ops = {"flights__model__flight_delay": {"config": random_fifth}}
    assert january_to_august.run("pipeline", ops).success
    assert january_to_august.run("retrain").success
    random, later = [_test_auc(january_to_august.registry, version) for version in ("1", "2")]
    with capsys.disabled():
        print(f"\nAUC on a random fifth of January to August {random:.4f}, on its last tenth {later:.4f}")
    assert random >= 0.77
    assert later < random


def _test_auc(registry: ModelRegistry, version: str) -> float:
    run = registry.client.get_run(registry.version("flight_delay", version).run_id)
    return float(run.data.metrics["test_roc_auc"])


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The home of a demo that has run twice, the second time in another process that finds everything done."""
    home = tmp_path_factory.mktemp("home")
    environment = {**os.environ, "MLOPS_HOME": str(home), "DAGSTER_HOME": str(home / "dagster"), "COLUMNS": "140"}
    for _ in range(2):
        subprocess.run([sys.executable, "-m", "mlops_assets", "demo"], env=environment, check=True, timeout=1200)
    yield home
    shutil.rmtree(home)


def _months(home: Path) -> list[Month]:
    registry = ModelRegistry(f"sqlite:///{home / 'mlflow.db'}", home / "mlartifacts")
    return read_months(load_project(CONFIGS / "flights"), Warehouse(home), registry)


def test_the_loop_is_worth_at_least_0015_auc_over_a_model_that_is_never_retrained(replayed: Path) -> None:
    months = [month for month in _months(replayed) if month.month >= "2013-05"]
    gains = [month.auc - month.first_auc for month in months if month.auc and month.first_auc]
    assert len(gains) == 8
    assert sum(gains) / len(gains) >= 0.015


def test_every_row_of_the_year_arrived_and_is_accounted_for(replayed: Path) -> None:
    table = Warehouse(replayed).table
    bronze = delta.rows(table("flights", "bronze", "flights"))
    silver = delta.rows(table("flights", "silver", "flights"))
    quarantine = delta.scan(table("flights", "silver", "flights_quarantine")).collect()
    assert bronze == 336_776 == silver + quarantine.height
    assert "distance_is_a_flight" in quarantine.filter(pl.col("distance") == "17")["_failed_rules"].item()


def test_each_cause_was_asked_for_once_and_some_challengers_were_refused(replayed: Path) -> None:
    with dg.DagsterInstance.from_config(str(replayed / "dagster")) as instance:
        runs = instance.get_runs(dg.RunsFilter(job_name="flights_retrain"))
    causes = [run.tags["mlops/cause"] for run in runs]
    assert len(causes) == len(set(causes)) >= 8
    assert all(run.status is dg.DagsterRunStatus.SUCCESS for run in runs)
    registry = ModelRegistry(f"sqlite:///{replayed / 'mlflow.db'}", replayed / "mlartifacts")
    later = registry.versions("flight_delay")[1:]
    assert {version.passed for version in later} == {True, False}
    assert all(version.numbers["low"] > 0 for version in later if version.passed)


def test_a_copy_elsewhere_under_another_name_works_the_same(tmp_path: Path) -> None:
    configs = tmp_path / "configs" / "aviation"
    shutil.copytree(CONFIGS / "flights", configs)
    environment = {
        **{name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"},
        "MLOPS_HOME": str(tmp_path / "home"),
        "MLOPS_CONFIGS": str(configs.parent),
        "FLIGHTS_THROUGH": "2013-01",
    }
    dagster = Path(sys.executable).with_name("dagster")
    job = [str(dagster), "job", "execute", "-m", "mlops_assets.definitions", "-j", "aviation_pipeline"]
    try:
        subprocess.run(job, env=environment, cwd=tmp_path, check=True, timeout=300, capture_output=True)
        assert delta.rows(str(tmp_path / "home/warehouse/aviation/silver/flights")) == 27_004
    finally:
        subprocess.run([sys.executable, "-m", "mlops_assets.serving", "stop"], env=environment, check=True)
