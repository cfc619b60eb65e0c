"""The flights pipeline through jobs of the stand-in workspace, its models in Unity Catalog, its endpoints Model
Serving's: equal to the embedded platform's in tables, metrics and verdicts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
import yaml
from polars.testing import assert_frame_equal

from mlops_assets.assemble import build_definitions
from mlops_assets.cli.session import QUIET
from mlops_assets.config import load_project
from mlops_assets.lake import delta
from mlops_assets.registry import ModelRegistry
from mlops_assets.registry.unity import UnityModels
from mlops_assets.resources.platforms import resources_for
from mlops_assets_tests.flights import CONFIGS, flights_in
from mlops_assets_tests.patience import impatient
from mlops_assets_tests.workspace_stub import TOKEN, Workspace, workspace
from mlops_assets_tests.workspace_stub.wheel import packed_wheel

MONTH = "2013-01"
TABLES = ("airlines", "airports", "planes", "weather", "flights")
ARRIVED = ("_ingested_at", "_run_id", "_quarantined_at", "_source_file", "request_id", "scored_at")
pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Life:
    """A pipeline that has run, and where its tables and models are."""

    tables: Path
    result: dg.ExecuteInProcessResult
    registry: ModelRegistry

    def table(self, name: str) -> pl.DataFrame:
        """Rows without the time and place of their arrival, in an order of their own."""
        rows = delta.scan(str(self.tables / "flights" / name)).collect()
        plain = rows.drop(ARRIVED, strict=False)
        return plain.sort([name for name, dtype in plain.schema.items() if not dtype.is_nested()], nulls_last=False)

    def verdicts(self) -> dict[str, bool]:
        """Every check but those that measure time."""
        return {
            f"{each.asset_key.to_user_string()} {each.check_name}": each.passed
            for each in self.result.get_asset_check_evaluations()
            if each.check_name != "latency"
        }

    def metrics(self) -> dict[str, float]:
        """What the training measured, without its time."""
        found = self.registry.metrics(self.registry.version("flight_delay", "1"))
        return {name: value for name, value in found.items() if "seconds" not in name}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    with flights_in(tmp_path_factory.mktemp("here"), through=MONTH) as flights:
        yield Life(flights.home / "warehouse", flights.run("pipeline"), flights.registry)


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Workspace, Life]]:
    root = tmp_path_factory.mktemp("workspace")
    volume = root / "Volumes" / "main" / "ml" / "files"
    volume.mkdir(parents=True)
    with workspace(root) as made, pytest.MonkeyPatch.context() as patch:
        made.schemas.add("prod.ml")
        platform = {
            "volume": str(volume),
            "wheel": str(packed_wheel(volume)),
            "schema_name": "ml",
            "environments": {"production": {"catalog": "prod", "schema_name": "ml"}},
            "engine": "polars",
            "tables": str(root / "external"),
            "warehouse_id": "warehouse",
            "grants": {"analysts": ["SELECT"]},
        }
        configs = tmp_path_factory.mktemp("configs")
        (configs / "platforms").mkdir()
        (configs / "platforms" / "databricks.yaml").write_text(
            yaml.safe_dump({"name": "databricks", "databricks": platform})
        )
        for name, value in {
            "MLOPS_CONFIGS": str(configs),
            "FLIGHTS_THROUGH": MONTH,
            "DATABRICKS_HOST": made.url,
            "DATABRICKS_TOKEN": TOKEN,
        }.items():
            patch.setenv(name, value)
        patch.setattr("dagster._core.pipes.utils.WAIT_FOR_LOGS_AFTER_EXECUTION_INTERVAL", 0)
        with dg.DagsterInstance.ephemeral() as instance:
            made_of = build_definitions([load_project(CONFIGS / "flights")], impatient(resources_for("databricks")))
            job = made_of.resolve_job_def("flights_pipeline")
            result = job.execute_in_process(instance=instance, run_config=QUIET, raise_on_error=False)
            registry = ModelRegistry("databricks", None, "databricks-uc", UnityModels("main.ml"))
            yield made, Life(root / "external", result, registry)


def _why(life: Life) -> list[str]:
    return [
        f"{event.step_key}: {event.step_failure_data.error_display_string[-2000:]}"
        for event in life.result.all_events
        if event.is_step_failure
    ]


def test_tables_metrics_and_verdicts_are_those_of_the_embedded_platform(
    here: Life, there: tuple[Workspace, Life]
) -> None:
    _, away = there
    assert here.result.success, _why(here)
    assert away.result.success, _why(away)
    names = [f"{layer}/{table}" for layer in ("bronze", "silver") for table in TABLES]
    names += [f"silver/{table}_quarantine" for table in TABLES]
    names += ["gold/flight_features", "gold/training_set", "gold/predictions"]
    for name in names:
        assert_frame_equal(here.table(name), away.table(name), check_exact=True)
    assert here.table("silver/flights").height > 25_000
    ours, theirs = here.metrics(), away.metrics()
    assert ours.keys() == theirs.keys()
    assert theirs == pytest.approx(ours, abs=1e-6)
    assert away.verdicts() == here.verdicts()
    print(f"{len(names)} tables, {len(ours)} metrics, {len(away.verdicts())} verdicts equal")


def test_each_step_of_the_documents_layers_was_a_job_of_the_workspace(there: tuple[Workspace, Life]) -> None:
    workspace, _ = there
    ran = {run.task.task_key for run in workspace.jobs.runs.values()}
    steps = {f"{layer}-{table}" for layer in ("bronze", "silver") for table in TABLES}
    assert ran == steps | {"gold-flight_features", "gold-training_set", "model-flight_delay"}
    assert {run.result for run in workspace.jobs.runs.values()} == {"SUCCESS"}


def test_production_serves_the_copy_in_its_own_catalog_which_was_trained_once(there: tuple[Workspace, Life]) -> None:
    workspace, away = there
    models = workspace.unity_models.models
    assert set(models) == {"main.ml.flight_delay", "prod.ml.flight_delay"}
    runs = {version.run_id for model in models.values() for version in model.versions.values()}
    assert len(runs) == 1
    assert models["prod.ml.flight_delay"].aliases == {"champion": "1"}
    served = workspace.serving.endpoints["flight-delay"].config.served_entities[0]
    assert (served.entity_name, served.entity_version) == ("prod.ml.flight_delay", "1")
    assert away.registry.require_champion("flight_delay").version == "1"


def test_unity_catalog_knows_each_table_by_its_name_with_comment_tags_and_grants(
    there: tuple[Workspace, Life],
) -> None:
    workspace, away = there
    tables = workspace.catalog.tables
    beside = {f"main.ml.flights_bronze_{name}" for name in TABLES} | {
        f"main.ml.flights_silver_{name}_quarantine" for name in TABLES
    }
    gold = {"main.nyc.flight_features", "main.ml.flights_gold_training_set", "main.ml.flights_gold_predictions"}
    watched = {"main.ml.flights_monitoring_references"}  # of the month that was learned from there is nothing to judge
    assert set(tables) == {f"main.nyc.{name}" for name in TABLES} | beside | gold | watched
    flights = tables["main.nyc.flights"]
    assert flights.location == str(away.tables / "flights" / "silver" / "flights")
    assert flights.comment
    assert flights.tags == {
        "domain": "aviation",
        "project": "flights",
        "layer": "silver",
        "environment": "development",
    }
    assert {frozenset(table.grants["analysts"]) for table in tables.values()} == {frozenset({"SELECT"})}
