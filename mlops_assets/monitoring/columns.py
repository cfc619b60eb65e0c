"""One column of data, whatever it came in, as numbers or as categories."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

type_names = {"number": "numbers", "boolean": "booleans", "string": "strings", "time": "dates or times"}


@dataclass(frozen=True)
class Column:
    """Values of one type.

    Float64 for `number` and `time` (microseconds), String for `string` and `boolean`; NaN is null.
    """

    kind: str
    values: pl.Series

    @property
    def nulls(self) -> int:
        """Rows without a value."""
        return self.values.null_count()

    def numbers(self) -> NDArray[np.float64]:
        """The values that are there, as float64; booleans are 0 and 1. ValueError for strings."""
        present = self.values.drop_nulls()
        if self.kind == "boolean":
            return (present == "true").to_numpy().astype(np.float64)
        if self.kind == "string":
            raise ValueError("strings have no order to measure; take chi_square, psi or jensen_shannon")
        return present.cast(pl.Float64).to_numpy()


def kind_of(dtype: pl.DataType) -> str:
    """`number`, `boolean`, `string`, `time`, or `null` for nothing but nulls; ValueError for nested types."""
    if dtype == pl.Null:
        return "null"
    if dtype.is_numeric():
        return "number"
    if dtype == pl.Boolean:
        return "boolean"
    if dtype.is_temporal():
        return "time"
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        return "string"
    raise ValueError(
        f"a column of type {dtype} has no distribution to compare; take numbers, strings, booleans or times"
    )


def as_numbers(series: pl.Series) -> pl.Series:
    """A numeric or temporal series as Float64.

    Dates and datetimes in microseconds since 1970, durations in microseconds.
    """
    if series.dtype in (pl.Date, pl.Datetime):
        series = series.cast(pl.Datetime("us")).to_physical()
    elif series.dtype == pl.Duration:
        series = series.cast(pl.Duration("us")).to_physical()
    elif series.dtype == pl.Time:
        series = series.to_physical() // 1_000
    return series.cast(pl.Float64)


def as_column(values: Any, name: str) -> Column:
    """A list, NumPy array or Polars series as a `Column`.

    ValueError where it is empty, nested or of mixed types.
    """
    series = values if isinstance(values, pl.Series) else _series(values, name)
    if len(series) == 0:
        raise ValueError(f"the {name} column is empty; a distribution needs at least one row")
    try:
        kind = kind_of(series.dtype)
    except ValueError as problem:
        raise ValueError(f"{name}: {problem}") from None
    if kind in ("number", "time"):
        return Column(kind, as_numbers(series).fill_nan(None))
    return Column(kind, series.cast(pl.String))


def paired(reference: Any, current: Any) -> tuple[Column, Column]:
    """Both columns, of one type; ValueError where their types differ.

    A column of nulls alone takes the other's type.
    """
    first, second = as_column(reference, "reference"), as_column(current, "current")
    if first.kind == "null":
        first = Column(second.kind, first.values.cast(second.values.dtype))
    if second.kind == "null":
        second = Column(first.kind, second.values.cast(first.values.dtype))
    if first.kind != second.kind:
        raise ValueError(
            f"mixed types: reference holds {type_names[first.kind]}, current {type_names[second.kind]}; "
            "cast one of them to the other's type"
        )
    return first, second


def _series(values: Any, name: str) -> pl.Series:
    array = values.to_numpy() if hasattr(values, "to_numpy") else values
    if isinstance(array, np.ndarray):
        if array.ndim != 1:
            raise ValueError(f"{name} has {array.ndim} dimensions; compare takes one column")
        if array.dtype.kind in "mM":
            return pl.Series(array.astype(f"{array.dtype.kind}8[us]"))
        if array.dtype.kind not in "OUS":
            return pl.Series(array)
        array = array.tolist()
    if isinstance(array, str | bytes) or not isinstance(array, Sequence):
        raise ValueError(f"{name} is a {type(values).__name__}; compare takes a list, a NumPy array or a Polars series")
    return _from_list(list(array), name)


def _from_list(values: list[Any], name: str) -> pl.Series:
    kinds = _kinds(values, name)
    if len(kinds) > 1:
        # A missing string is often a NaN.
        values = [None if value != value else value for value in values]
        kinds = _kinds(values, name)
    if len(kinds) > 1:
        found = " and ".join(sorted(type_names[kind] for kind in kinds))
        raise ValueError(f"mixed types in {name}: {found}; a column holds values of one type")
    if kinds == {"number"}:
        return pl.Series([None if value is None else float(value) for value in values], dtype=pl.Float64)
    return pl.Series([None if value != value else value for value in values], strict=False)


def _kinds(values: list[Any], name: str) -> set[str]:
    return {_kind_of_class(cls, name) for cls in {type(value) for value in values}} - {"null"}


def _kind_of_class(cls: type, name: str) -> str:
    if cls is type(None):
        return "null"
    if issubclass(cls, bool | np.bool_):
        return "boolean"
    if issubclass(cls, Real | Decimal | np.number):
        return "number"
    if issubclass(cls, str):
        return "string"
    if issubclass(cls, date | np.datetime64):
        return "time"
    raise ValueError(f"{name} holds a {cls.__name__}; take numbers, strings, booleans, dates or times")
