"""The documents' column types on Spark: text is read as them by `lake.types.cast`, batch by batch, as on Polars."""

from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa

from mlops_assets.lake.sql import name_in_sql
from mlops_assets.lake.types import cast
from mlops_assets.rules.spark_operations import Expr, functions

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.types import DataType, StructType

SPARK_TYPES = {
    "int": "bigint",
    "float": "double",
    "decimal": "decimal(38,9)",
    "string": "string",
    "bool": "boolean",
    "date": "date",
    "datetime": "timestamp",
}


def typed(column: str, stored: "DataType", wanted: str, format: str | None = None) -> Expr:  # noqa: A002
    """`column` as the documents' type `wanted`; a value that cannot be read as it becomes null."""
    if stored.simpleString() == SPARK_TYPES[wanted]:
        return quoted(column)
    dtype = polars_type(stored)
    return by_batch(column, dtype, cast(column, dtype, wanted, format=format), SPARK_TYPES[wanted])


def by_batch(column: str, dtype: pl.DataType, value: pl.Expr, wanted: str) -> Expr:
    """What Polars makes of `column`, which holds values of `dtype`, as the Spark type `wanted`."""
    empty = pl.DataFrame(schema={column: dtype})
    target = empty.select(value).to_series().to_arrow(compat_level=pl.CompatLevel.oldest()).type

    @functions().arrow_udf(wanted)  # type: ignore[untyped-decorator]
    def read(values: pa.Array) -> pa.Array:
        frame = pl.DataFrame({column: pl.from_arrow(values)}, schema={column: dtype})
        return frame.select(value).to_series().to_arrow().cast(target)

    found: Expr = read(quoted(column))
    return found


def polars_type(stored: "DataType") -> pl.DataType:
    """The Polars type of a Spark type's values."""
    from pyspark.sql.pandas.types import to_arrow_type

    found = pl.Series(pl.from_arrow(pa.array([], to_arrow_type(stored, timezone="UTC")))).dtype
    return pl.Datetime("us", "UTC") if isinstance(found, pl.Datetime) and found.time_zone else found


def polars_schema(frame: "DataFrame") -> pl.Schema:
    """The Polars types of a Spark frame's columns."""
    return pl.Schema({field.name: polars_type(field.dataType) for field in frame.schema})


def spark_schema(schema: pl.Schema) -> "StructType":
    """The Spark types of Polars columns."""
    from pyspark.sql.pandas.types import from_arrow_schema

    return from_arrow_schema(pl.DataFrame(schema=schema).to_arrow(compat_level=pl.CompatLevel.oldest()).schema)


def sql_type(kind: "DataType") -> str:
    """A type as SQL writes it, with any name of a field."""
    from pyspark.sql.types import ArrayType, MapType, StructType

    if isinstance(kind, ArrayType):
        return f"array<{sql_type(kind.elementType)}>"
    if isinstance(kind, MapType):
        return f"map<{sql_type(kind.keyType)}, {sql_type(kind.valueType)}>"
    if isinstance(kind, StructType):
        return f"struct<{', '.join(f'{name_in_sql(field.name)}: {sql_type(field.dataType)}' for field in kind)}>"
    return kind.simpleString()


def arrow_schema(schema: pl.Schema) -> pa.Schema:
    """The Arrow types in which columns pass from Polars to Spark, which knows no large lists."""
    from pyspark.sql.pandas.types import to_arrow_schema

    return to_arrow_schema(spark_schema(schema), timezone="UTC")


def quoted(name: str) -> Expr:
    """The column of a name that may hold any character."""
    return functions().col(name_in_sql(name))
