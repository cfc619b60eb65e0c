import gzip
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mlops_assets.lake import delta
from mlops_assets.lake.errors import LakeError
from mlops_assets.lake.polars import POLARS
from mlops_assets_tests.lake.conftest import Lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path, POLARS)


def test_a_bad_value_in_json_lines_quarantines_its_row_alone(lake: Lake) -> None:
    types = {"id": "int", "x": "float"}
    config = lake.config(format="json", columns=types, max_error_fraction=1, schema_evolution="add")
    lake.write("a.jsonl", '{"id": 1.0, "x": 0.1, "more": [1]}\n')
    lake.load(config)
    lake.write("b.jsonl", '{"id": 2, "x": 1}\n{"id": "abc", "x": 2e3}\n{"id": 3, "x": null}\n')
    lake.load(config)
    silver = delta.scan(lake.tables.silver).sort("id").collect()
    assert silver.rows() == [(1, 0.1, [1]), (2, 1.0, None), (3, None, None)]
    assert delta.scan(lake.tables.quarantine).collect()["id"].to_list() == ["abc"]


def test_a_json_table_that_was_begun_with_numbers_goes_on_with_them(lake: Lake) -> None:
    lake.write("a.jsonl", '{"id": 1}\n')
    lake.load(lake.config(format="json"))
    lake.write("b.jsonl", '{"id": 2}\n')
    lake.load(lake.config(format="json", columns={"id": "int"}))
    assert sorted(delta.scan(lake.tables.silver).collect()["id"]) == [1, 2]


@pytest.mark.parametrize("encoding", ["latin1", "cp1252", "utf16"])
def test_packed_text_of_another_encoding_is_read(lake: Lake, encoding: Any) -> None:
    (lake.source / "a.csv.gz").write_bytes(gzip.compress("id,name\n1,café\n".encode(encoding)))
    lake.load(lake.config(columns={"id": "int", "name": "string"}, reader={"encoding": encoding}))
    assert delta.scan(lake.tables.silver).collect().rows() == [(1, "café")]


def test_a_file_that_is_packed_by_its_name_only_is_refused_by_it(lake: Lake) -> None:
    lake.write("a.csv.gz", "id\n1\n")
    with pytest.raises(LakeError, match=r"a\.csv\.gz: not readable as latin1: Not a gzipped file"):
        lake.ingest(lake.config(columns={"id": "int"}, reader={"encoding": "latin1"}))


@pytest.mark.parametrize(
    ("kind", "reader"),
    [("parquet", {"encoding": "latin1"}), ("delta", {"delimiter": ";"}), ("json", {"null_values": ["NA"]})],
)
def test_what_a_format_is_not_read_by_is_refused_as_the_document_loads(lake: Lake, kind: str, reader: Any) -> None:
    with pytest.raises(ValueError, match=f"`{next(iter(reader))}`"):
        lake.config(format=kind, reader=reader)


@pytest.mark.parametrize("name", ["_row", "_run_id", "_failed_rules", "_source_file", "_ingested_at"])
def test_a_column_with_a_name_of_the_tables_own_is_refused_unless_it_is_left_out(lake: Lake, name: str) -> None:
    pl.DataFrame({"id": [1], name: ["x"]}).write_parquet(lake.source / "a.parquet")
    with pytest.raises(LakeError, match=rf"a\.parquet: column '{name}' has a reserved name"):
        lake.ingest(lake.config(format="parquet"))
    lake.load(lake.config(format="parquet", columns={"id": "int"}, schema_evolution="ignore"))
    assert delta.scan(lake.tables.silver).collect().rows() == [(1,)]


def test_a_type_that_delta_has_not_is_refused_by_the_column(lake: Lake) -> None:
    pl.DataFrame({"id": [1], "at": [[time(5)]]}).write_parquet(lake.source / "a.parquet")
    with pytest.raises(LakeError, match=r"a\.parquet: column 'at' is List\(Time\), a type that Delta tables do not"):
        lake.ingest(lake.config(format="parquet"))


def test_a_number_that_its_column_has_no_room_for_is_told_in_a_sentence(lake: Lake) -> None:
    pl.DataFrame({"id": [1]}, schema={"id": pl.Int32}).write_parquet(lake.source / "a.parquet")
    lake.ingest(lake.config(format="parquet"))
    pl.DataFrame({"id": [2**40]}).write_parquet(lake.source / "b.parquet")
    with pytest.raises(LakeError, match=r"cannot be written, and nothing was: Cast error: .* 1099511627776"):
        lake.ingest(lake.config(format="parquet"))


COLUMNS = {"id": "int", "name": "string", "price": "decimal", "day": "date", "paid": "bool"}
STEPS = [
    ({"type": "rename_columns", "mapping": {"id": "name"}}, "there is a column 'name' already"),
    ({"type": "explode", "columns": ["name"]}, "column 'name' is String, and only lists"),
    ({"type": "split", "column": "id", "separator": ",", "into": ["a"]}, "column 'id' is Int64, and only text"),
    ({"type": "fill_null", "values": {"id": 1.7}}, "1.7 is no value of column 'id', which is Int64"),
    ({"type": "fill_null", "values": {"id": "none"}}, "'none' is no value of column 'id'"),
]
CONSTANTS = [
    ({"type": "fill_null", "values": {"price": 0.1234567891}}, "0.1234567891 is no value of column 'price'"),
    ({"type": "fill_null", "values": {"price": "0.1234567891"}}, "'0.1234567891' is no value of column 'price'"),
    ({"type": "fill_null", "values": {"day": 1.5}}, "1.5 is no value of column 'day', which is Date"),
    ({"type": "fill_null", "values": {"paid": 2}}, "2 is no value of column 'paid', which is Boolean"),
]


@pytest.mark.parametrize(("step", "message"), [*STEPS, *CONSTANTS])
def test_a_step_that_does_not_fit_its_column_says_so(lake: Lake, step: dict[str, Any], message: str) -> None:
    lake.write("a.csv", "id,name,price,day,paid\n1,a,2.5,2024-01-01,true\n")
    with pytest.raises(LakeError, match=f"step {step['type']}: {message}"):
        lake.load(lake.config(columns=COLUMNS, transformation_steps=[step]))


def test_a_decimal_that_is_no_whole_number_is_not_cut_to_one(lake: Lake) -> None:
    lake.write("a.csv", "id\n1.5\n2\n-3.000\n")
    cast = {"type": "cast", "columns": {"id": "int"}}
    lake.load(lake.config(columns={"id": "decimal"}, transformation_steps=[cast], max_error_fraction=1))
    assert sorted(delta.scan(lake.tables.silver).collect()["id"]) == [-3, 2]
    assert delta.scan(lake.tables.quarantine).collect()["_failed_rules"].to_list() == [["id_is_int"]]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"primary_keys": ["id"], "sequence_by": "att"}, "sequence_by: no column 'att'; did you mean 'at'"),
        ({"partitioning_columns": ["shp"]}, "partitioning_columns: no column 'shp'; did you mean 'shop'"),
        ({"z_order_by": ["ids"]}, "z_order_by: no column 'ids'; did you mean 'id'"),
        ({"sensitive_columns": ["shoop"]}, "sensitive_columns: no column 'shoop'; did you mean 'shop'"),
        (
            {"partitioning_columns": ["day"], "write_mode": "overwrite_partitions"},
            r"partitioning_columns: no column 'day' \(columns: id, shop, at, valid_to\)",
        ),
        ({"partitions": {"type": "dynamic", "column": "shp"}}, r"a\.csv: no column 'shp', which `partitions` names"),
        (
            {"arrival_columns": {"_source_file": "shop"}},
            r"a\.csv: column 'shop' has a name that `arrival_columns` gives",
        ),
        ({"primary_keys": ["id"], "write_mode": "scd2"}, r"column 'valid_to' is one that a history \(scd2\) has"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_a_column_that_an_undeclared_source_does_not_fit_is_refused_before_anything_is_written(
    lake: Lake, fields: dict[str, Any], message: str
) -> None:
    lake.write("a.csv", "id,shop,at,valid_to\n1,a,2024-01-01,x\n")
    with pytest.raises(LakeError, match=message):
        lake.load(lake.config(**fields))
    assert not delta.exists(lake.tables.silver)
    assert not delta.exists(lake.tables.quarantine)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"type": "explode", "columns": ["p", "q"]}, "p, q of one row differ in length"),
        ({"type": "hash", "columns": ["p"]}, r"column 'p' is List\(Int64\); explode it before"),
        ({"type": "cast", "columns": {"p": "int"}}, r"column 'p' is List\(Int64\); explode it before"),
    ],
    ids=lambda value: value["type"] if isinstance(value, dict) else "",
)
def test_a_step_that_its_rows_do_not_fit_is_told_by_its_name(lake: Lake, step: dict[str, Any], message: str) -> None:
    lake.write("a.jsonl", '{"id": 1, "p": [1, 2], "q": [1]}\n')
    with pytest.raises(LakeError, match=f"step {step['type']}: {message}"):
        lake.load(lake.config(format="json", transformation_steps=[step]))


def test_a_null_instant_or_day_is_filled_from_a_text(lake: Lake) -> None:
    lake.write("a.csv", "at,day\n,\n")
    fill = {"type": "fill_null", "values": {"at": "2024-01-01T05:00:00Z", "day": "2024-01-02"}}
    lake.load(lake.config(columns={"at": "datetime", "day": "date"}, transformation_steps=[fill]))
    assert delta.scan(lake.tables.silver).collect().rows() == [(datetime(2024, 1, 1, 5, tzinfo=UTC), date(2024, 1, 2))]


@pytest.mark.parametrize(("number", "kind"), [("20240101", "int"), ("1.5", "float")])
def test_a_number_that_is_no_day_is_not_taken_for_one(lake: Lake, number: str, kind: str) -> None:
    lake.write("a.csv", f"day\n{number}\n1\n")
    cast = {"type": "cast", "columns": {"day": "date"}}
    lake.load(lake.config(columns={"day": kind}, transformation_steps=[cast], max_error_fraction=1))
    assert delta.scan(lake.tables.silver).collect().rows() == [(date(1970, 1, 2),)]
    assert delta.scan(lake.tables.quarantine).collect()["_failed_rules"].to_list() == [["day_is_date"]]


def test_a_version_of_a_history_without_its_time_is_quarantined(lake: Lake) -> None:
    lake.write("a.csv", "id,at\n1,2024-01-01\n1,\n")
    types = {"id": "int", "at": "date"}
    lake.load(
        lake.config(columns=types, primary_keys=["id"], write_mode="scd2", sequence_by="at", max_error_fraction=1)
    )
    assert delta.scan(lake.tables.silver).collect()["at"].to_list() == [date(2024, 1, 1)]
    assert delta.scan(lake.tables.quarantine).collect()["_failed_rules"].to_list() == [["at_is_a_time"]]


def test_the_only_file_corrected_to_no_rows_leaves_none(lake: Lake) -> None:
    config = lake.config(columns={"id": "int"}, on_changed_source="replace", primary_keys=["id"])
    for text in ("id\n1\n", "id\n"):
        lake.write("a.csv", text)
        lake.load(config)
    assert delta.scan(lake.tables.silver).collect().is_empty()


def test_json_that_is_no_lines_is_told_what_lines_are(lake: Lake) -> None:
    lake.write("a.json", '[{"id": 1}]')
    with pytest.raises(LakeError, match="each line holds one JSON object"):
        lake.load(lake.config(format="json"))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"table_properties": {"delta.appendOnly": "true"}, "primary_keys": ["id"]}, "lets no row be changed"),
        (
            {"transformation_steps": [{"type": "split", "column": "a", "separator": "-", "into": ["b", "b"]}]},
            "a name is there twice",
        ),
    ],
    ids=["appendOnly", "split"],
)
def test_what_no_run_could_do_is_refused_as_the_document_loads(lake: Lake, fields: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        lake.config(**fields)


@pytest.mark.parametrize("place", ["", "/a.csv", "/*.csv"], ids=["folder", "file", "glob"])
def test_files_of_another_format_than_the_default_are_told_what_to_say(lake: Lake, place: str) -> None:
    lake.write("a.csv", "id\n1\n")
    with pytest.raises(LakeError, match=r"no Delta table at .*; it holds csv files: say `format: csv`"):
        lake.ingest(lake.config(source_path=f"{lake.source}{place}", format="delta"))
