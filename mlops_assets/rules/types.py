"""The types of the rule language, and how a frame's schema becomes one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import polars as pl

Kind = Literal["int", "float", "decimal", "string", "bool", "date", "datetime", "struct", "list", "null", "other"]


@dataclass(frozen=True)
class Type:
    """A value's type; `stored` is the engine's own name of a column's type and no part of its meaning."""

    kind: Kind
    zone: str | None = None
    precision: int = 38
    scale: int = 0
    fields: tuple[tuple[str, "Type"], ...] = ()
    stored: str = field(default="", compare=False, repr=False)

    def __str__(self) -> str:
        return f"datetime with zone {self.zone}" if self.zone else self.kind


INT = Type("int")
FLOAT = Type("float")
STRING = Type("string")
BOOL = Type("bool")
DATE = Type("date")
NAIVE = Type("datetime")
INSTANT = Type("datetime", zone="UTC")

NUMBERS = frozenset({"int", "float", "decimal"})
TEMPORAL = frozenset({"date", "datetime"})
ORDERED = NUMBERS | TEMPORAL | {"string"}

Schema: TypeAlias = dict[str, Type]

_SIMPLE: dict[type[pl.DataType], Kind] = {
    pl.Boolean: "bool",
    pl.Date: "date",
    pl.Null: "null",
    pl.String: "string",
    pl.Categorical: "string",
    pl.Enum: "string",
    pl.List: "list",
    pl.Array: "list",
}


def schema_of(frame: Any) -> Schema:
    """Column names and rule types of a Polars frame, lazy frame or schema, or of a Spark frame, in order."""
    if isinstance(frame, pl.DataFrame):
        return of_polars(frame.schema)
    if isinstance(frame, pl.LazyFrame):
        return of_polars(frame.collect_schema())
    if type(frame).__module__.startswith("pyspark"):
        from mlops_assets.rules.spark import schema_of as of_spark

        return of_spark(frame)
    if isinstance(frame, Mapping):
        return {n: t if isinstance(t, Type) else of_dtype(t) for n, t in frame.items()}
    raise TypeError(f"rules read Polars and Spark frames, not {type(frame).__module__}.{type(frame).__name__}")


def of_polars(schema: Mapping[str, Any]) -> Schema:
    """Rule types of a Polars schema."""
    return {name: of_dtype(dtype) for name, dtype in schema.items()}


def of_dtype(dtype: Any) -> Type:
    """The rule type of one Polars dtype."""
    stored = str(dtype)
    if dtype.is_integer():
        return Type("int", stored=stored)
    if dtype.is_float():
        return Type("float", stored=stored)
    if isinstance(dtype, pl.Decimal):
        return Type("decimal", precision=dtype.precision or 38, scale=dtype.scale, stored=stored)
    if isinstance(dtype, pl.Datetime):
        return Type("datetime", zone=dtype.time_zone, stored=stored)
    if isinstance(dtype, pl.Struct):
        return Type("struct", fields=tuple((f.name, of_dtype(f.dtype)) for f in dtype.fields), stored=stored)
    return Type(_SIMPLE.get(dtype.base_type(), "other"), stored=stored)
