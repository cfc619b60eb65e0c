"""Polars frames as Spark frames, value for value."""

from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_TYPES: dict[Any, str] = {
    pl.Int64: "bigint",
    pl.Int32: "int",
    pl.Int8: "tinyint",
    pl.Float64: "double",
    pl.Float32: "float",
    pl.String: "string",
    pl.Boolean: "boolean",
    pl.Date: "date",
    pl.Null: "void",
}


def type_name(dtype: Any) -> str:
    if isinstance(dtype, pl.Datetime):
        return "timestamp" if dtype.time_zone else "timestamp_ntz"
    if isinstance(dtype, pl.Decimal):
        return f"decimal({dtype.precision},{dtype.scale})"
    if isinstance(dtype, pl.Struct):
        return "struct<" + ",".join(f"`{f.name}`:{type_name(f.dtype)}" for f in dtype.fields) + ">"
    return _TYPES[dtype.base_type()]


def to_spark(session: "SparkSession", frame: pl.DataFrame) -> "DataFrame":
    """One partition, so that collect keeps the rows' order; times go through text, which no zone shifts."""
    from pyspark.sql import functions as f

    times = [n for n, t in frame.schema.items() if isinstance(t, pl.Datetime)]
    texts = [pl.col(n).dt.replace_time_zone(None).dt.strftime("%Y-%m-%d %H:%M:%S%.6f") for n in times]
    names = {n: f"c{i}" for i, n in enumerate(frame.columns)}
    plain = frame.with_columns(texts).rename(names)
    schema = ", ".join(f"{names[n]} {'string' if n in times else type_name(t)}" for n, t in frame.schema.items())
    made = session.createDataFrame(plain.rows(), schema).coalesce(1)
    return made.select(*(f.col(names[n]).cast(type_name(t)).alias(n) for n, t in frame.schema.items()))
