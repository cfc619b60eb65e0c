import itertools
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mlops_assets.config import DataConfig
from mlops_assets.lake import delta
from mlops_assets.lake.errors import SourceChanged
from mlops_assets.lake.polars import POLARS
from mlops_assets_tests.lake.conftest import Lake

COLUMNS = {"id": "int", "plan": "string", "at": "datetime"}
HISTORY: dict[str, Any] = {"columns": COLUMNS, "primary_keys": ["id"], "write_mode": "scd2", "sequence_by": "at"}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path, POLARS)


def rows(*values: str) -> str:
    return "id,plan,at\n" + "\n".join(values) + "\n"


def day(number: int) -> datetime:
    return datetime(2024, 1, number, tzinfo=UTC)


def versions(lake: Lake) -> list[tuple[Any, ...]]:
    silver = delta.scan(lake.tables.silver).sort("id", "valid_from")
    return silver.select("id", "plan", "valid_from", "valid_to", "is_current").collect().rows()


def test_a_changed_row_closes_the_version_before_it_and_an_unchanged_one_adds_none(lake: Lake) -> None:
    config = lake.config(**HISTORY)
    lake.write("a.csv", rows("1,free,2024-01-01", "2,free,2024-01-01"))
    lake.load(config)
    lake.write("b.csv", rows("1,paid,2024-01-02", "2,free,2024-01-02"))
    done = lake.load(config)
    assert versions(lake) == [
        (1, "free", day(1), day(2), False),
        (1, "paid", day(2), None, True),
        (2, "free", day(1), None, True),
    ]
    assert done.rows.balanced
    assert done.rows.removed == {"scd2": 1}


def test_versions_are_the_same_in_whatever_order_they_arrive(tmp_path: Path) -> None:
    files = {f"{n}.csv": rows(f"1,{plan},2024-01-0{n}") for n, plan in enumerate(("a", "b", "b", "c"), 1)}
    found = []
    for number, order in enumerate(itertools.permutations(files)):
        (tmp_path / str(number)).mkdir()
        lake = Lake(tmp_path / str(number), POLARS)
        for name in order:
            lake.write(name, files[name])
            lake.load(lake.config(**HISTORY))
        found.append(versions(lake))
    expected = [(1, "a", day(1), day(2), False), (1, "b", day(2), day(4), False), (1, "c", day(4), None, True)]
    # Where the repeated version came before the one that it repeats, nothing remembers that it was seen twice.
    assert all(each == expected for each in found)


def test_without_a_sequence_a_version_is_valid_from_its_arrival(lake: Lake) -> None:
    config = lake.config(columns={"id": "int", "plan": "string"}, primary_keys=["id"], write_mode="scd2")
    for name, plan in (("a.csv", "free"), ("b.csv", "paid")):
        lake.write(name, f"id,plan\n1,{plan}\n")
    lake.load(config)
    first, second = versions(lake)
    assert (first[1], second[1], first[3]) == ("free", "paid", second[2])
    arrived = delta.scan(lake.tables.bronze).sort("_ingested_at").collect()["_ingested_at"].to_list()
    assert [first[2], second[2]] == arrived


def test_a_late_row_replaces_no_newer_one_of_its_key(lake: Lake) -> None:
    config = lake.config(columns=COLUMNS, primary_keys=["id"], sequence_by="at")
    lake.write("a.csv", rows("1,new,2024-01-05"))
    lake.load(config)
    lake.write("b.csv", rows("1,old,2024-01-02", "2,x,2024-01-01"))
    done = lake.load(config)
    assert dict(delta.scan(lake.tables.silver).select("id", "plan").collect().iter_rows()) == {1: "new", 2: "x"}
    assert done.rows.removed == {"late": 1}


def test_only_the_partitions_that_a_run_has_rows_of_are_replaced(lake: Lake) -> None:
    config = lake.config(columns=COLUMNS, write_mode="overwrite_partitions", partitioning_columns=["plan"])
    lake.write("a.csv", rows("1,a,2024-01-01", "2,b,2024-01-01", "3,,2024-01-01"))
    lake.load(config)
    lake.write("b.csv", rows("9,b,2024-01-02", "8,,2024-01-02"))
    done = lake.load(config)
    assert sorted(delta.scan(lake.tables.silver).collect()["id"]) == [1, 8, 9]
    assert (done.rows.read, done.rows.written) == (2, 2)


def test_a_partition_of_an_instant_is_replaced(lake: Lake) -> None:
    config = lake.config(columns=COLUMNS, write_mode="overwrite_partitions", partitioning_columns=["at"])
    lake.write("a.csv", rows("1,a,2024-01-01T05:00:00.5Z", "2,b,2024-01-02"))
    lake.load(config)
    lake.write("b.csv", rows("3,a,2024-01-01T05:00:00.5Z"))
    lake.load(config)
    assert sorted(delta.scan(lake.tables.silver).collect()["id"]) == [2, 3]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"write_mode": "overwrite"}, "in place of the whole table"),
        ({"write_mode": "overwrite_partitions", "partitioning_columns": ["plan"]}, "all rows of its partitions"),
    ],
    ids=["overwrite", "overwrite_partitions"],
)
def test_a_table_that_each_run_overwrites_takes_no_corrected_file(
    lake: Lake, fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        lake.config(columns=COLUMNS, on_changed_source="replace", **fields)


@pytest.mark.parametrize("keys", [[], ["id"]], ids=["append", "merge"])
def test_a_corrected_file_takes_the_place_of_its_rows_in_every_table(lake: Lake, keys: list[str]) -> None:
    config = lake.config(
        columns=COLUMNS,
        primary_keys=keys,
        on_changed_source="replace",
        arrival_columns={"_source_file": "file"},
        validation_rules=[{"name": "known", "condition": "plan != 'bad'"}],
        max_error_fraction=1,
    )
    lake.write("a.csv", rows("1,a,2024-01-01", "2,bad,2024-01-01", "3,c,2024-01-01"))
    lake.write("b.csv", rows("4,d,2024-01-01", "5,bad,2024-01-01"))
    lake.load(config)
    lake.write("a.csv", rows("1,A,2024-01-01", "2,B,2024-01-01", "6,bad,2024-01-01"))
    done = lake.load(config)
    silver = delta.scan(lake.tables.silver).sort("id").select("id", "plan", "file").collect()
    assert silver.rows() == [(1, "A", "a.csv"), (2, "B", "a.csv"), (4, "d", "b.csv")]
    assert sorted(delta.scan(lake.tables.quarantine).collect()["id"]) == ["5", "6"]
    assert sorted(delta.scan(lake.tables.bronze).collect()["id"]) == ["1", "2", "4", "5", "6"]
    assert done.rows.balanced
    assert lake.load(config).rows.read == 0


def test_a_key_that_a_correction_no_longer_has_is_what_another_file_said_of_it(lake: Lake) -> None:
    config = lake.config(columns=COLUMNS, primary_keys=["id"], on_changed_source="replace")
    lake.write("a.csv", rows("1,older,2024-01-01"))
    lake.load(config)
    lake.write("b.csv", rows("1,newer,2024-01-01", "2,only,2024-01-01"))
    lake.load(config)
    lake.write("b.csv", rows("3,x,2024-01-01"))
    lake.load(config)
    silver = delta.scan(lake.tables.silver).sort("id").select("id", "plan").collect()
    assert silver.rows() == [(1, "older"), (3, "x")]


def test_a_delta_source_whose_rows_changed_is_handled_as_the_document_says(lake: Lake, tmp_path: Path) -> None:
    source = str(tmp_path / "upstream")
    made: dict[str, DataConfig] = {
        how: lake.config(source_path=source, format="delta", on_changed_source=how, **fields)
        for how, fields in (
            ("fail", {}),
            ("ignore", {}),
            ("replace", {"arrival_columns": {"_source_file": "file"}}),
        )
    }
    delta.append(source, pl.DataFrame({"id": [1, 2]}), transactions={})
    lake.load(made["replace"])
    delta.overwrite(source, pl.DataFrame({"id": [7]}), transactions={})
    delta.append(source, pl.DataFrame({"id": [8]}), transactions={})
    with pytest.raises(Exception, match="rows were changed or removed between versions 0 and 2"):
        lake.ingest(made["fail"])
    lake.load(made["replace"])
    assert sorted(delta.scan(lake.tables.silver).collect()["id"]) == [7, 8]


def test_changes_of_a_delta_source_stay_out_where_the_document_ignores_them(lake: Lake, tmp_path: Path) -> None:
    source = str(tmp_path / "upstream")
    config = lake.config(source_path=source, format="delta", on_changed_source="ignore")
    delta.append(source, pl.DataFrame({"id": [1]}), transactions={})
    lake.load(config)
    delta.overwrite(source, pl.DataFrame({"id": [7]}), transactions={})
    delta.append(source, pl.DataFrame({"id": [8]}), transactions={})
    done = lake.ingest(config)
    assert (done.ignored, done.files) == (("version 1",), ("version 2",))
    lake.refine(config)
    assert sorted(delta.scan(lake.tables.silver).collect()["id"]) == [1, 8]


def test_a_pinned_version_of_a_source_is_read_and_no_later_one(lake: Lake, tmp_path: Path) -> None:
    source = str(tmp_path / "upstream")
    for number in range(3):
        delta.append(source, pl.DataFrame({"id": [number]}), transactions={})
    lake.load(lake.config(source_path=source, format="delta", source_version=1))
    assert sorted(delta.scan(lake.tables.silver).collect()["id"]) == [0, 1]
    lake.load(lake.config(source_path=source, format="delta"))
    assert sorted(delta.scan(lake.tables.silver).collect()["id"]) == [0, 1, 2]


def test_optimizing_a_source_brings_no_row_again(lake: Lake, tmp_path: Path) -> None:
    from deltalake import DeltaTable

    source = str(tmp_path / "upstream")
    config = lake.config(source_path=source, format="delta")
    for number in range(3):
        delta.append(source, pl.DataFrame({"id": [number]}), transactions={})
    lake.load(config)
    for table in (source, lake.tables.bronze):
        DeltaTable(table).optimize.compact()
    delta.append(source, pl.DataFrame({"id": [3]}), transactions={})
    lake.load(config)
    assert sorted(delta.scan(lake.tables.silver).collect()["id"]) == [0, 1, 2, 3]


def test_a_changed_file_fails_by_default(lake: Lake) -> None:
    config = lake.config(columns=COLUMNS)
    lake.write("a.csv", rows("1,a,2024-01-01"))
    lake.load(config)
    lake.write("a.csv", rows("1,b,2024-01-01"))
    with pytest.raises(SourceChanged, match="on_changed_source: replace"):
        lake.ingest(config)
