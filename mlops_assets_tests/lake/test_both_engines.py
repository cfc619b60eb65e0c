"""Write modes, corrections and partitions by turns on Spark and Polars: the tables that Polars alone makes."""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
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
from mlops_assets.lake.errors import LakeError
from mlops_assets.lake.partition_runs import refine_partitions
from mlops_assets.lake.polars import POLARS, PolarsEngine
from mlops_assets.lake.refine import Refined
from mlops_assets.lake.spark.engine import SparkEngine
from mlops_assets.lake.spark.transforms import transform
from mlops_assets_tests.lake.conftest import Lake
from mlops_assets_tests.lake.test_refusals import STEPS
from mlops_assets_tests.spark_session import delta_session

pytestmark = [pytest.mark.spark, pytest.mark.slow]
BASE: dict[str, Any] = {
    "columns": {"id": "int", "plan": "string", "price": "float", "at": "datetime"},
    "validation_rules": [{"name": "known", "condition": "plan != 'bad'"}],
    "max_error_fraction": 1,
}
CORRECTED: dict[str, Any] = {**BASE, "on_changed_source": "replace"}
FIRST = ("1,free,1.5,2024-01-01", "2,bad,2,2024-01-01", "3,free,,2024-01-02", "4,x,4,2024-01-01", "7,bad,x,2024-01-01")
LATER = ("1,paid,1.5,2024-01-03", "3,free,,2024-01-04", "5,free,5,2024-01-01", "1,free,9,2024-01-02")
# Late versions, one that repeats, one of the same instant, and a null in place of a value.
LATEST = ("1,free,1.5,2024-01-02", "5,free,5,2024-01-02", "4,,4,2024-01-05", "3,bad,3,2024-01-09", "4,y,4,2024-01-05")
DECIMAL = {"type": "cast", "columns": {"price": "decimal"}}
CASES: dict[str, tuple[dict[str, Any], Sequence[Mapping[str, Sequence[str]]]]] = {
    "scd2": (
        {**BASE, "primary_keys": ["id"], "write_mode": "scd2", "sequence_by": "at"},
        [{"a": FIRST}, {"b": LATER}, {"c": LATEST}],
    ),
    "corrected append": (
        {**CORRECTED, "arrival_columns": {"_source_file": "file"}},
        [{"a": FIRST, "b": LATER}, {"a": LATEST}, {"b": FIRST[:2]}],
    ),
    "corrected merge": (
        {**CORRECTED, "primary_keys": ["id"], "sequence_by": "at"},
        [{"a": FIRST, "b": LATER}, {"b": LATEST[:2]}, {"a": LATER[3:]}],
    ),
    "overwrite partitions": (
        {**BASE, "write_mode": "overwrite_partitions", "partitioning_columns": ["plan"]},
        [{"a": FIRST}, {"b": LATER[:2]}],
    ),
    "merge of decimals": (
        {
            **BASE,
            "primary_keys": ["id"],
            "sequence_by": "at",
            "transformation_steps": [DECIMAL],
            "validation_rules": [{"name": "known", "condition": "id != 2"}],
        },
        [{"a": (*FIRST, "6,free,0.1234567895,2024-01-03")}, {"b": LATER}, {"c": (*LATEST, "6,free,1e30,2024-01-04")}],
    ),
}


class Small(PolarsEngine):
    """A few rows at once, so that a file is cut into stretches."""

    rows_at_once = 2


@pytest.fixture(scope="module")
def spark() -> Engine[Any]:
    return SparkEngine(SparkConfig(), lambda _: delta_session())


@pytest.fixture
def both(tmp_path: Path) -> tuple[Lake, Lake]:
    """Two lakes, for Polars alone and for both engines by turns."""
    for name in ("polars", "turns"):
        (tmp_path / name).mkdir()
    return Lake(tmp_path / "polars"), Lake(tmp_path / "turns")


def write(lake: Lake, files: Mapping[str, Sequence[str]]) -> None:
    for name, rows in files.items():
        lake.write(f"{name}.csv", "id,plan,price,at\n" + "\n".join(rows) + "\n")


def equal(ours: Lake, theirs: Lake, but: Sequence[str] = ()) -> None:
    for name in ("bronze", "silver", "quarantine"):
        one, other = (contents(getattr(lake.tables, name), but) for lake in (ours, theirs))
        assert_frame_equal(one, other, check_exact=True, check_column_order=False)


def contents(path: str, but: Sequence[str]) -> pl.DataFrame:
    frame = delta.scan(path).drop("_ingested_at", *but, strict=False).collect()
    return frame.sort([name for name, dtype in frame.schema.items() if not dtype.is_nested()], nulls_last=True)


@pytest.mark.parametrize("case", CASES)
def test_spark_and_polars_by_turns_write_what_polars_writes(
    both: tuple[Lake, Lake], spark: Engine[Any], case: str
) -> None:
    ours, theirs = both
    fields, loads = CASES[case]
    for number, files in enumerate(loads):
        done = []
        for lake in both:
            write(lake, files)
            lake.engine = POLARS if lake is ours or number == 1 else spark
            done.append(lake.load(lake.config(**fields)))
        assert done[0].rows == done[1].rows
        equal(ours, theirs)


def test_spark_refuses_to_merge_a_column_with_a_back_tick_in_its_name(both: tuple[Lake, Lake], spark: Any) -> None:
    lake, _ = both
    lake.engine = spark
    write(lake, {"a": FIRST})
    rename = {"type": "rename_columns", "mapping": {"plan": "pl`an"}}
    config = lake.config(**{**BASE, "validation_rules": []}, primary_keys=["id"], transformation_steps=[rename])
    with pytest.raises(LakeError, match="column 'pl`an': Spark cannot merge a column whose name has a back-tick"):
        lake.load(config)


def test_without_a_sequence_spark_takes_a_version_from_its_arrival(both: tuple[Lake, Lake], spark: Engine[Any]) -> None:
    ours, theirs = both
    theirs.engine = spark
    for files in ({"a": FIRST}, {"b": LATER}):
        for lake in both:
            write(lake, files)
            lake.load(lake.config(**BASE, primary_keys=["id"], write_mode="scd2"))
    equal(ours, theirs, ["valid_from", "valid_to"])
    arrived = set(delta.scan(theirs.tables.bronze).collect()["_ingested_at"])
    assert set(delta.scan(theirs.tables.silver).collect()["valid_from"]) == arrived


def test_runs_of_partitions_bring_the_same_rows_in_any_order(both: tuple[Lake, Lake], spark: Engine[Any]) -> None:
    ours, theirs = both
    daily = {"type": "daily", "column": "at", "start": "2024-01-01", "end": "2024-01-04"}
    days = ["2024-01-03", "2024-01-01", "2024-01-02"]

    def refine(lake: Lake, engine: Engine[Any], wanted: Sequence[str] | None) -> Refined:
        config = lake.config(**BASE, partitions=daily, primary_keys=["id"])
        lake.engine = engine
        lake.ingest(config)
        return refine_partitions(config, lake.tables, Run("run-1"), {}, engine, wanted)

    for lake in both:
        write(lake, {"a": FIRST, "b": LATER})
    whole = refine(ours, POLARS, None)
    parts = [refine(theirs, spark, days[:1]), refine(theirs, POLARS, days[1:2]), refine(theirs, spark, days)]
    assert sum(part.rows.read for part in parts) == whole.rows.read == len(FIRST) + len(LATER)
    equal(ours, theirs)
    assert refine(theirs, spark, None).rows.read == 0


def test_spark_goes_on_in_the_middle_of_a_version_that_a_killed_run_of_polars_left(
    both: tuple[Lake, Lake], spark: Engine[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = both
    for lake in both:
        write(lake, {"a": FIRST})
    ours.load(ours.config(**BASE))
    commits = iter(range(4))

    def killed(own: Any) -> Any:
        def write(*args: Any, **more: Any) -> Any:
            if next(commits, None) is None:
                raise KeyboardInterrupt
            return own(*args, **more)

        return staticmethod(write)

    monkeypatch.setattr(Small, "append", killed(POLARS.append), raising=False)
    theirs.engine = Small()
    with pytest.raises(KeyboardInterrupt):
        theirs.load(theirs.config(**BASE))
    theirs.engine = spark
    assert theirs.load(theirs.config(**BASE)).rows.read == 3
    equal(ours, theirs)


def test_spark_refuses_a_step_that_does_not_fit_its_column_or_rows_as_polars_does(
    both: tuple[Lake, Lake], spark: Any
) -> None:
    explode = {"type": "explode", "columns": ["p", "q"]}
    for lake, engine in zip(both, (POLARS, spark), strict=True):
        lake.engine = engine
        lake.write("a.jsonl", '{"p": [1, 2], "q": [1]}\n')
        with pytest.raises(
            LakeError, match=r"^step explode: p, q of one row differ in length; make them equal at their"
        ):
            lake.load(lake.config(format="json", transformation_steps=[explode]))
    columns = "id bigint, name string, price decimal(38, 9), day date, paid boolean, p array<bigint>"
    frame = spark.session.createDataFrame([(1, "a", None, None, None, [1])], columns)
    unfit: Any = ({"type": "cast", "columns": {"p": "int"}}, r"column 'p' is List\(Int64\); explode it before")
    for step, message in [*STEPS, unfit]:
        [typed] = DataConfig(source_path="s", destination_path="d", transformation_steps=[step]).transformation_steps
        said = message.replace("String", "string").replace("is Int64, and only text", "is bigint, and only text")
        with pytest.raises(LakeError, match=f"step {step['type']}: {said}"):
            transform(frame, typed, datetime.now(UTC))


def test_an_instant_is_the_same_partition_whatever_the_machines_zone_is(
    spark: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        frame = spark.session.sql("SELECT timestamp'2024-01-01 05:00:00.5Z' AS at")
        assert spark.distinct(frame, ["at"]) == [{"at": datetime(2024, 1, 1, 5, 0, 0, 500_000, tzinfo=UTC)}]
    finally:
        monkeypatch.undo()
        time.tzset()
