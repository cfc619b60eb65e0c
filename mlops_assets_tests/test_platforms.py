"""The example projects' main jobs on the embedded platform and on Spark: the same tables, figures and verdicts."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mlops_assets.lake import delta
from mlops_assets.registry import ModelVersion
from mlops_assets_tests.flights import CONFIGS, Flights, flights_in
from mlops_assets_tests.spark_session import delta_session

pytestmark = [pytest.mark.spark, pytest.mark.slow]
OWN = {"_ingested_at", "_run_id"}  # columns that say of which run a row is
# Figures that name a run or measure it.
MEASURED = ("seconds", "time", "memory", "latency")
PROJECTS = os.environ.get("PROJECTS", "churn").split(",")  # flights takes minutes: make platforms


@dataclass(frozen=True)
class Ran:
    """What a run of the main job left: tables, the version's metrics, and what each check said."""

    tables: Mapping[str, pl.DataFrame]
    metrics: Mapping[str, float]
    verdicts: Mapping[tuple[str, str], bool]


def run(home: Path, project: str, platform: str) -> Ran:
    with flights_in(home, CONFIGS / project, platform=platform) as made:
        done = made.run("pipeline")
        assert done.success, [event.message for event in done.all_events if event.is_failure]
        version = newest(made)
        metrics = {name: value for name, value in made.registry.metrics(version).items() if not measured(name)}
        return Ran(tables(made), metrics, verdicts(done))


def newest(made: Flights) -> ModelVersion:
    [model] = made.project.training
    return made.registry.versions(model.config.registry_model_name)[-1]


def measured(metric: str) -> bool:
    return any(word in metric for word in MEASURED)


def tables(made: Flights) -> dict[str, pl.DataFrame]:
    """Every table of the layers that a platform's engine writes, and the training set that is made of them."""
    root = Path(made.path("bronze", "x")).parents[1]
    found = sorted(path.parent for layer in ("bronze", "silver", "gold") for path in root.glob(f"{layer}/*/_delta_log"))
    assert len(found) > 8
    scored = [path for path in found if path.name != "predictions"]
    return {path.relative_to(root).as_posix(): comparable(str(path), made.home) for path in scored}


def comparable(path: str, home: Path) -> pl.DataFrame:
    """A table in an order of its own. Rows of a Delta source say where it lies, here below `home`, and have no place in
    it that both engines number alike.
    """
    frame = delta.scan(path).drop(OWN, strict=False).collect()
    if "_row_id" in frame.columns:
        of_delta = pl.col("_source_file").str.contains(r"@\d+$")
        frame = frame.with_columns(
            pl.col("_source_file").str.replace(str(home), "", literal=True),
            pl.when(~of_delta).then(pl.col("_row_id")),
        )
    return frame.sort([name for name, dtype in frame.schema.items() if not dtype.is_nested()], nulls_last=True)


def verdicts(done: dg.ExecuteInProcessResult) -> dict[tuple[str, str], bool]:
    found = done.get_asset_check_evaluations()
    return {(check.asset_key.to_user_string(), check.check_name): check.passed for check in found}


@pytest.mark.parametrize("project", PROJECTS)
def test_a_project_gives_the_same_tables_metrics_and_verdicts_on_spark(
    project: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    delta_session()
    monkeypatch.setenv("CHURN_CUSTOMERS", "1000")
    monkeypatch.setenv("CHURN_THROUGH", "2024-01-01")
    embedded, spark = (run(tmp_path / platform, project, platform) for platform in ("embedded", "spark"))
    assert list(embedded.tables) == list(spark.tables)
    for name, table in embedded.tables.items():
        assert_frame_equal(table, spark.tables[name], check_exact=True)
    assert embedded.metrics == pytest.approx(spark.metrics, abs=1e-6)
    assert embedded.verdicts == spark.verdicts
    assert len(embedded.verdicts) > 20
