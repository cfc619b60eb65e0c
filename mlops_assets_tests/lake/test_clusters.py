"""A data document on a standalone cluster of two workers and through Spark Connect: the tables that Polars makes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mlops_assets.config import DataConfig
from mlops_assets.config.platform import SparkConfig
from mlops_assets.lake import delta
from mlops_assets.lake.batch import Run
from mlops_assets.lake.engine import Engine
from mlops_assets.lake.ingest import ingest
from mlops_assets.lake.polars import POLARS
from mlops_assets.lake.refine import DataTables, refine
from mlops_assets.lake.rowcount import RowCount
from mlops_assets.lake.spark.engine import SparkEngine
from mlops_assets_tests.lake import clusters

pytestmark = [pytest.mark.spark, pytest.mark.slow]
ROWS = 2_000
DOCUMENT: dict[str, Any] = {
    "destination_path": "shop.orders",
    "format": "csv",
    "columns": {"id": "int", "name": "string", "amount": "float", "paid": "bool", "day": "date", "at": "datetime"},
    "schema_evolution": "add",
    "primary_keys": ["id"],
    "max_error_fraction": 1.0,
    "validation_rules": [
        {"name": "positive", "condition": "amount > 0"},
        {"name": "named", "condition": "name.str.contains('n1') or amount < 900", "severity": "warning"},
    ],
    "transformation_steps": [
        {"type": "trim", "columns": ["name"]},
        {"type": "derive", "columns": {"double": "amount * 2", "late": "day > '2024-01-20'"}},
        {"type": "hash", "columns": ["name"]},
    ],
}
# A process of its own for each session: one process has one, classic or Connect.
SCRIPT = """
import sys
from mlops_assets_tests.lake.test_clusters import run
run(sys.argv[1], sys.argv[2])
"""


def arrive(source: Path, number: int) -> None:
    """A file of orders, half of which are newer forms of the file's before it; some break a rule, some a type."""
    source.mkdir(exist_ok=True)
    lines = [
        f"{number * ROWS // 2 + row}, n{row} ,{'x' if row % 97 == 0 else row - 9},{row % 2 == 0},"
        f"2024-01-{row % 28 + 1:02},2024-01-01T{row % 24:02}:00:00+01:00"
        for row in range(ROWS)
    ]
    (source / f"{number}.csv").write_text("id,name,amount,paid,day,at,note\n" + ",seen\n".join(lines) + ",\n")


def tables(folder: Path) -> DataTables:
    return DataTables(*(str(folder / name) for name in ("bronze", "silver", "quarantine")))


def load(folder: Path, engine: Engine[Any]) -> list[RowCount]:
    """Two files, one after the other."""
    config = DataConfig.model_validate({**DOCUMENT, "source_path": str(folder / "source")})
    done = []
    for number in range(2):
        arrive(folder / "source", number)
        ingest(config, config.source_path, tables(folder).bronze, engine)
        done.append(refine(config, tables(folder), Run("run"), {}, engine).rows)
    return done


def run(folder: str, spark: str) -> None:
    """The same with a session of its own, and what it did as the last line."""
    engine = SparkEngine(SparkConfig.model_validate_json(spark))
    done = load(Path(folder), engine)
    print(json.dumps({"kind": type(engine.session).__module__, "rows": [str(each) for each in done]}))
    engine.session.stop()


def equal_to_polars(folder: Path, **spark: Any) -> str:
    """The module of the session that made tables equal to those of Polars, to the type and the row."""
    for name in ("polars", "spark"):
        (folder / name).mkdir()
    expected = load(folder / "polars", POLARS)
    command = [sys.executable, "-c", SCRIPT, str(folder / "spark"), json.dumps(spark)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1200, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["rows"] == [str(each) for each in expected]
    for name in ("bronze", "silver", "quarantine"):
        ours, theirs = (_plain(getattr(tables(folder / side), name)) for side in ("polars", "spark"))
        assert_frame_equal(ours, theirs, check_exact=True)
        assert ours.height > 10
    return str(told["kind"])


def _plain(path: str) -> pl.DataFrame:
    return delta.scan(path).drop("_ingested_at", strict=False).collect().sort("id", maintain_order=True)


def test_a_standalone_cluster_of_two_workers_makes_the_tables_that_polars_makes(tmp_path: Path) -> None:
    with clusters.standalone(tmp_path) as url:
        settings = {**clusters.SMALL, "spark.executor.memory": "512m"}
        assert equal_to_polars(tmp_path, master=url, settings=settings) == "pyspark.sql.session"
    assert len(list((tmp_path / "work").glob("app-*/*"))) == 2, "both workers ran an executor"


def test_a_spark_connect_server_makes_the_tables_that_polars_makes(tmp_path: Path) -> None:
    with clusters.connect(tmp_path) as url:
        assert equal_to_polars(tmp_path, remote=url) == "pyspark.sql.connect.session"
