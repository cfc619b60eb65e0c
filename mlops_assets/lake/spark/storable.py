"""The types that every Delta reader agrees on, with Spark; as in `lake.storable`."""

from typing import TYPE_CHECKING

from mlops_assets.lake.spark.types import quoted, sql_type
from mlops_assets.rules.spark_operations import Expr, functions

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.types import StructField


def normalised(frame: "DataFrame") -> "DataFrame":
    """The frame in types and values that every Delta reader agrees on: no NaN, no void type, and text of no collation,
    which a type that went to a Connect server has.
    """
    changed = {field.name: column for field in frame.schema if (column := _storable(field)) is not None}
    return frame.withColumns(changed) if changed else frame


def _storable(field: "StructField") -> Expr | None:
    """A column as it is stored, or None where it can stay."""
    f, kind = functions(), field.dataType.simpleString()
    if kind in ("double", "float"):
        return f.nanvl(quoted(field.name), f.lit(None).cast(kind))
    if kind == "void":
        return quoted(field.name).cast("string")
    return quoted(field.name).cast(sql_type(field.dataType)) if "string" in kind else None
