"""Rows of a feature table as SQLite keeps them: statements, and values in and out of its few types."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from mlops_assets.features.errors import FeatureError


def type_names(schema: pl.Schema) -> dict[str, str]:
    """Column to the name of its type. Raises FeatureError for one that has no place in SQLite."""
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


def quoted(name: str) -> str:
    """A column's name in a statement."""
    return '"' + name.replace('"', '""') + '"'


def create_statement(schema: pl.Schema, keys: Sequence[str]) -> str:
    """Makes the table, clustered by its keys."""
    # BLOB affinity keeps each value as it was given.
    columns = ", ".join(f"{quoted(name)} BLOB" for name in schema)
    return f"CREATE TABLE features ({columns}, PRIMARY KEY ({', '.join(map(quoted, keys))})) WITHOUT ROWID"


def upsert_statement(schema: pl.Schema, keys: Sequence[str], newer_by: str | None) -> str:
    """Inserts or replaces a row; with a time column to be `newer_by`, never by an older one."""
    others = [quoted(name) for name in schema if name not in keys]
    columns = ", ".join(map(quoted, schema))
    update = ", ".join(f"{name} = excluded.{name}" for name in others)
    newer = f" WHERE excluded.{quoted(newer_by)} >= features.{quoted(newer_by)}" if newer_by else ""
    action = f"UPDATE SET {update}{newer}" if others else "NOTHING"
    places = ", ".join("?" * len(schema))
    conflict = f"ON CONFLICT ({', '.join(map(quoted, keys))}) DO {action}"
    return f"INSERT INTO features ({columns}) VALUES ({places}) {conflict}"


def stored(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows as numbers, truth values and texts."""
    return rows.with_columns(
        pl.col(name).dt.cast_time_unit("us").to_physical()
        if isinstance(dtype, pl.Datetime)
        else pl.col(name).to_physical()
        for name, dtype in rows.schema.items()
        if dtype.is_temporal()
    )


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
