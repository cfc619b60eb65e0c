"""The types that every Delta reader agrees on."""

from typing import TypeVar

import polars as pl

Frame = TypeVar("Frame", pl.DataFrame, pl.LazyFrame)

_SIGNED: dict[type[pl.DataType], pl.DataType] = {
    pl.UInt8: pl.Int16(),
    pl.UInt16: pl.Int32(),
    pl.UInt32: pl.Int64(),
    pl.UInt64: pl.Int64(),
}


def normalised(frame: Frame) -> Frame:
    """The frame in types that every Delta reader agrees on: no NaN, no Enum or Null type, instants in UTC
    microseconds.
    """
    return frame.with_columns(
        _storable(pl.col(name), dtype)
        for name, dtype in frame.collect_schema().items()
        if _storable_type(dtype) is not None
    )


def stored_type(dtype: pl.DataType) -> pl.DataType:
    """The type that a column of `dtype` is stored as."""
    return _storable_type(dtype) or dtype


def _storable_type(dtype: pl.DataType) -> pl.DataType | None:
    """The type to store in place of `dtype`, or None where it can stay."""
    if isinstance(dtype, pl.Enum | pl.Categorical) or dtype == pl.Null:
        return pl.String()
    if isinstance(dtype, pl.Datetime):
        return pl.Datetime("us", "UTC" if dtype.time_zone else None)
    if dtype.is_float():
        return dtype
    return _SIGNED.get(type(dtype))


def _storable(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    if dtype.is_float():
        return column.fill_nan(None)
    if isinstance(dtype, pl.Datetime) and dtype.time_zone:
        return column.dt.convert_time_zone("UTC").dt.cast_time_unit("us")
    return column.cast(_storable_type(dtype) or dtype)
