"""The example projects' main jobs on the embedded platform and on Spark, in this process's local session or on a
standalone cluster of two workers: the same tables, figures and verdicts.
"""

import json
import os
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mlops_assets.lake import delta
from mlops_assets.registry import ModelVersion
from mlops_assets_tests.flights import CONFIGS, Flights, flights_in
from mlops_assets_tests.lake import clusters
from mlops_assets_tests.spark_session import COMPILED, delta_session

pytestmark = [pytest.mark.spark, pytest.mark.slow]
OWN = {"_ingested_at", "_run_id"}  # columns that say of which run a row is
# Figures that name a run or measure it.
MEASURED = ("seconds", "time", "memory", "latency")
# Flights takes minutes, and so does a cluster: make platforms.
PROJECTS = os.environ.get("PROJECTS", "churn").split(",")
SPARKS = os.environ.get("SPARKS", "session").split(",")
PLATFORM = """
name: spark
spark:
  master: {url}
  settings: {settings}
"""


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


def on_spark(home: Path, project: str, spark: str) -> Ran:
    """The run on Spark; a cluster's workers must both have had a part in it."""
    if spark == "session":
        return run(home, project, "spark")
    (home / "configs" / "platforms").mkdir(parents=True)
    settings = {**clusters.SMALL, "spark.driver.memory": "2g", "spark.executor.memory": "1g"}
    with clusters.standalone(home) as url, pytest.MonkeyPatch.context() as environment:
        document = PLATFORM.format(url=url, settings=json.dumps(settings))
        (home / "configs" / "platforms" / "spark.yaml").write_text(document)
        environment.setenv("MLOPS_CONFIGS", str(home / "configs"))
        # A process of its own: one process has one session.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            done = process.submit(run, home, project, "spark").result()
    assert len(list((home / "work").glob("app-*/*"))) == 2, "both workers ran an executor"
    return done


@pytest.mark.parametrize("project", PROJECTS)
@pytest.mark.parametrize("spark", SPARKS)
def test_a_project_gives_the_same_tables_metrics_and_verdicts_on_spark(
    project: str, spark: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    delta_session(COMPILED)
    monkeypatch.setenv("CHURN_CUSTOMERS", "1000")
    monkeypatch.setenv("CHURN_THROUGH", "2024-01-01")
    expected = run(tmp_path / "embedded", project, "embedded")
    found = on_spark(tmp_path / "spark", project, spark)
    assert list(expected.tables) == list(found.tables)
    for name, table in expected.tables.items():
        assert_frame_equal(table, found.tables[name], check_exact=True)
    assert expected.metrics == pytest.approx(found.metrics, abs=1e-6)
    assert expected.verdicts == found.verdicts
    assert len(expected.verdicts) > 20
    rows = sum(table.height for table in expected.tables.values())
    print(f"{project}, {spark}: {len(expected.tables)} tables of {rows} rows, {len(expected.metrics)} metrics and "
          f"{len(expected.verdicts)} verdicts are equal")  # fmt: skip
