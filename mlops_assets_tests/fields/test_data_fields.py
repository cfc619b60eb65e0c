"""Each field of the reference's data document, changed, has its documented effect."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable

from mlops_assets.lake import delta
from mlops_assets_tests.fields.life import DATA, ROWS, Life, customers, life_in

field = pytest.mark.field


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    with life_in(tmp_path) as made:
        yield made


def silver(life: Life, **data: Any) -> pl.DataFrame:
    """The table that a run of the data document alone makes."""
    assert life.run(kinds="data", data=data).success
    return life.read("silver", "customers")


@field("data.source_path", "The rows come from there.")
def test_rows_come_from_the_source_path(life: Life, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    customers(7).head(3).write_csv(tmp_path / "elsewhere" / "few.csv")
    assert silver(life, source_path=str(tmp_path / "elsewhere"))["id"].to_list() == [7 * ROWS + n for n in range(3)]


@field("data.destination_path", "Its last part names the table that the rows land in.")
def test_the_destination_path_names_the_table(life: Life) -> None:
    assert life.run(kinds="data", data={"destination_path": "dbfs:/mnt/clients.delta"}).success
    assert life.read("silver", "clients").height == ROWS
    assert not delta.exists(life.table("silver", "customers"))


@field("data.validation_rules", "A row that breaks a rule of severity error goes to the quarantine with its name.")
def test_rows_that_break_a_rule_are_quarantined_by_its_name(life: Life) -> None:
    rule = {"name": "long", "condition": "tenure >= 30"}
    assert silver(life, validation_rules=[rule], max_error_fraction=1.0)["tenure"].min() == 30
    bad = life.read("silver", "customers_quarantine")
    assert bad["_failed_rules"].to_list() == [["long"]] * customers(0).filter(pl.col("tenure") < 30).height


@field("data.format", "The source is read as what it is: delta, parquet, csv or json.")
@pytest.mark.parametrize("format", ["delta", "parquet", "csv", "json"])
def test_the_format_says_how_the_source_is_read(life: Life, tmp_path: Path, format: str) -> None:  # noqa: A002
    place = tmp_path / "made"
    place.mkdir()
    write = {
        "delta": lambda rows: rows.write_delta(str(place)),
        "parquet": lambda rows: rows.write_parquet(place / "rows.parquet"),
        "csv": lambda rows: rows.write_csv(place / "rows.csv"),
        "json": lambda rows: rows.write_ndjson(place / "rows.json"),
    }
    write[format](customers(3).head(5))
    columns = DATA["columns"] if format in ("csv", "json") else {}
    found = silver(life, source_path=str(place), format=format, columns=columns)
    assert found["charges"].round(6).to_list() == customers(3).head(5)["charges"].round(6).to_list()


@field("data.transformation_steps", "The steps run in order before the rules.")
def test_steps_run_in_order_before_the_rules(life: Life) -> None:
    steps = [
        {"type": "rename_columns", "mapping": {"charges": "monthly"}},
        {"type": "derive", "columns": {"yearly": "monthly * 12"}},
        {"type": "drop_columns", "columns": ["monthly"]},
    ]
    found = silver(life, transformation_steps=steps, validation_rules=["yearly < 600"], max_error_fraction=1.0)
    assert "monthly" not in found.columns
    assert found.height == customers(0).filter(pl.col("charges") * 12 < 600).height


@field("data.partitioning_columns", "The table's files lie in folders by the columns' values.")
def test_the_table_is_parted_by_its_partitioning_columns(life: Life) -> None:
    assert silver(life, partitioning_columns=["region"]).height == ROWS
    assert DeltaTable(life.table("silver", "customers")).metadata().partition_columns == ["region"]


@field("data.environment_vars", "Stand in for variables that the process does not have; the process's own win.")
def test_environment_vars_stand_in_where_the_process_has_none(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"destination_path": "main.${SHOP_TABLE}", "environment_vars": {"SHOP_TABLE": "own"}}
    assert life.project("data", data=given).data[0].name == "own"
    monkeypatch.setenv("SHOP_TABLE", "the_process")
    assert life.project("data", data=given).data[0].name == "the_process"
