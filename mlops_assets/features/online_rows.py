"""Rows of a feature table as an online store keeps them: numbers and texts, with the names of their types beside.

Truth values are 0 and 1, dates days and instants microseconds since 1970 (UTC); what is read equals what was stored, to
the bit.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from mlops_assets.features.errors import FeatureError


def type_names(schema: pl.Schema) -> dict[str, str]:
    """Column to the name of its type. Raises FeatureError for one that a store does not hold."""
    return {name: _type_name(name, dtype) for name, dtype in schema.items()}


def _type_name(name: str, dtype: pl.DataType) -> str:
    """The type's name in the store: what `dtype_of` needs to give it back."""
    if isinstance(dtype, pl.Datetime):
        return f"datetime {dtype.time_zone or ''}".strip()
    if dtype.is_numeric() and not dtype.is_decimal():
        return str(dtype)
    simple: dict[pl.DataType, str] = {pl.Boolean(): "Boolean", pl.String(): "String", pl.Date(): "Date"}
    if dtype not in simple:
        raise FeatureError(f"online_store_enabled: column '{name}' is {dtype}, which the online store does not hold")
    return simple[dtype]


def dtype_of(name: str) -> pl.DataType:
    """The Polars type of a name that `type_names` gave."""
    if name.startswith("datetime"):
        return pl.Datetime("us", name.removeprefix("datetime").strip() or None)
    found: pl.DataType = getattr(pl, name)()
    return found


def stored(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows as numbers and texts."""
    return rows.with_columns(_stored(name, dtype) for name, dtype in rows.schema.items())


def _stored(name: str, dtype: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if isinstance(dtype, pl.Datetime):
        return column.dt.cast_time_unit("us").to_physical()
    return column.to_physical() if dtype.is_temporal() else column.cast(pl.Int8) if dtype == pl.Boolean else column


def typed(rows: Sequence[tuple[Any, ...]], columns: Mapping[str, str]) -> pl.DataFrame:
    """Rows that were read, in the types they were given in."""
    made = []
    for number, (name, kind) in enumerate(columns.items()):
        values = [row[number] for row in rows]
        dtype = dtype_of(kind)
        physical = pl.Int64() if isinstance(dtype, pl.Datetime) else pl.Int32() if dtype == pl.Date else dtype
        plain = pl.Series(name, values, dtype=pl.Int64() if dtype == pl.Boolean else physical)
        zone = getattr(dtype, "time_zone", None)
        typed = plain.cast(pl.Datetime("us")).dt.replace_time_zone("UTC") if zone else plain.cast(dtype)
        made.append(typed.dt.convert_time_zone(zone) if zone else typed)
    return pl.DataFrame(made)
