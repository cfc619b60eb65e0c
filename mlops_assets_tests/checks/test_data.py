from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from mlops_assets.checks.data import declared_columns, table_schema
from mlops_assets.config import DataConfig, Document, load_project
from mlops_assets.lake import delta
from mlops_assets.lake.errors import LakeError

DOCUMENT = {
    "source_path": "raw/orders",
    "destination_path": "shop.orders",
    "format": "csv",
    "columns": {"id": "int", "amount": "float", "at": "datetime", "note": "string"},
    "primary_keys": ["id"],
    "transformation_steps": [
        {"type": "drop_columns", "columns": ["note"]},
        {"type": "derive", "columns": {"day": "at.dt.dayofweek", "large": "amount > 100"}},
    ],
    "validation_rules": [
        {"name": "positive", "condition": "orders.amount > 0"},
        {"name": "workday", "condition": "day < 5", "severity": "warning"},
        {"name": "some", "condition": "row_count >= 1"},
    ],
}
MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
Frame = pl.DataFrame | pl.LazyFrame
EAGER_AND_LAZY = pytest.mark.parametrize("made", [pl.DataFrame, pl.LazyFrame])


@pytest.fixture
def document(tmp_path: Path) -> Callable[..., Document[DataConfig]]:
    def load(**fields: Any) -> Document[DataConfig]:
        folder = tmp_path / "shop"
        folder.mkdir(exist_ok=True)
        (folder / "pipeline.yaml").write_text("name: shop\nowner: a@example.com\nenvironment: dev\n")
        (folder / "data.yaml").write_text(yaml.safe_dump({**DOCUMENT, **fields}))
        return load_project(folder).data[0]

    return load


def orders(amounts: list[float | None], ids: list[int | None] | None = None) -> pl.DataFrame:
    count = len(amounts)
    return pl.DataFrame(
        {"id": ids or list(range(count)), "amount": amounts, "at": [MONDAY] * count},
        schema={"id": pl.Int64, "amount": pl.Float64, "at": pl.Datetime("us", "UTC")},
    ).with_columns(pl.lit(0, pl.Int64).alias("day"), (pl.col("amount") > 100).alias("large"))


@EAGER_AND_LAZY
def test_good_rows_come_back_as_they_are(document: Any, made: Any) -> None:
    rows = orders([1.0, 200.0])
    assert table_schema(document()).validate(made(rows.to_dict())).lazy().collect().equals(rows)


@EAGER_AND_LAZY
@pytest.mark.parametrize("amounts", [[1.0, -1.0], [1.0, None], [1.0, float("nan")]])
def test_values_that_break_a_rule_are_refused_on_eager_and_on_lazy_frames(
    document: Any, made: Any, amounts: list[float | None]
) -> None:
    from pandera.errors import SchemaErrors

    with pytest.raises(SchemaErrors) as caught:
        table_schema(document()).validate(made(orders(amounts).to_dict()), lazy=True)
    cases = caught.value.failure_cases.select("check", "index").rows()
    assert cases == [("positive: orders.amount > 0", 1)]


@EAGER_AND_LAZY
def test_a_single_error_is_raised_without_collecting_all(document: Any, made: Any) -> None:
    from pandera.errors import SchemaError

    with pytest.raises(SchemaError, match="positive"):
        table_schema(document()).validate(made(orders([-1.0]).to_dict()))


@EAGER_AND_LAZY
def test_a_null_key_and_a_table_level_rule_are_refused(document: Any, made: Any) -> None:
    from pandera.errors import SchemaErrors

    schema = table_schema(document(validation_rules=["row_count >= 3"]))
    with pytest.raises(SchemaErrors) as caught:
        schema.validate(made(orders([1.0, 1.0], [None, 2]).to_dict()), lazy=True)
    assert set(caught.value.failure_cases["check"]) == {
        "row_count_ge_3: row_count >= 3",
        "id_is_a_key: `id` is not null",
    }


@EAGER_AND_LAZY
@pytest.mark.parametrize("wrong", [pl.col("amount").cast(pl.String), pl.col("at").dt.date()])
def test_a_column_of_another_type_is_refused(document: Any, made: Any, wrong: pl.Expr) -> None:
    from pandera.errors import SchemaErrors

    with pytest.raises(SchemaErrors):
        table_schema(document(validation_rules=[])).validate(
            made(orders([1.0]).with_columns(wrong).to_dict()), lazy=True
        )


def test_columns_are_the_declared_ones_after_the_steps(document: Any) -> None:
    assert dict(declared_columns(document())) == dict(orders([]).schema)


def test_a_document_and_its_table_give_the_same_columns(document: Any, tmp_path: Path) -> None:
    table = str(tmp_path / "table")
    delta.append(table, orders([1.0]), transactions={})
    assert table_schema(document(), table).columns.keys() == table_schema(document()).columns.keys()


def test_without_declared_columns_a_table_is_asked_for(document: Any) -> None:
    plain = document(columns={}, validation_rules=[], transformation_steps=[], primary_keys=[])
    with pytest.raises(LakeError, match="no `columns` are declared; give the path of the table"):
        table_schema(plain)
