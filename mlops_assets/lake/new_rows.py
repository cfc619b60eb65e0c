"""Rows that a table gained, read from the files that its log says were added; no change feed is needed for them."""

from collections.abc import Mapping, Sequence

import polars as pl
from deltalake import DeltaTable

from mlops_assets.lake.errors import LakeError
from mlops_assets.lake.foreign import mapped_columns
from mlops_assets.lake.log import Added

CASTS = pl.ScanCastOptions(
    integer_cast="upcast", float_cast="upcast", datetime_cast=["nanosecond-downcast", "convert-timezone"]
)


def appended_rows(table: DeltaTable, files: Sequence[Added]) -> pl.LazyFrame:
    """The rows of data files in the order of `files`, in the table's columns and types; columns that a file is older
    than are null.
    """
    wanted = polars_schema(table)
    names = mapped_columns(table)
    if any(isinstance(dtype, pl.Struct | pl.List) for dtype in wanted.values()) and names:
        raise LakeError(f"{table.table_uri}: nested columns of a table with columnMapping are not read incrementally")
    parts = _by_partition(files)
    if not parts:
        return pl.LazyFrame(schema=wanted)
    return pl.concat([_part(addresses, values, wanted, names) for values, addresses in parts])


def polars_schema(table: DeltaTable) -> pl.Schema:
    """The table's columns and Polars types, from its log."""
    import pyarrow as pa

    return pl.DataFrame(pa.schema(table.schema().to_arrow()).empty_table()).schema


def _by_partition(files: Sequence[Added]) -> list[tuple[Mapping[str, str | None], list[str]]]:
    """Runs of neighbouring files with the same partition values."""
    parts: list[tuple[Mapping[str, str | None], list[str]]] = []
    for file in files:
        if parts and parts[-1][0] == file.partition:
            parts[-1][1].append(file.address)
        else:
            parts.append((file.partition, [file.address]))
    return parts


def _part(
    addresses: list[str], values: Mapping[str, str | None], wanted: pl.Schema, names: Mapping[str, str]
) -> pl.LazyFrame:
    stored = {names.get(name, name): dtype for name, dtype in wanted.items()}
    inside = pl.Schema({name: dtype for name, dtype in stored.items() if name not in values})
    rows = pl.scan_parquet(
        addresses, schema=inside, missing_columns="insert", extra_columns="ignore", cast_options=CASTS,
        hive_partitioning=False,
    )  # fmt: skip
    constants = [_constant(text, stored[name]).alias(name) for name, text in values.items()]
    back = {stored_name: name for name, stored_name in names.items() if stored_name != name}
    return rows.with_columns(constants).rename(back).select(list(wanted))


def _constant(text: str | None, dtype: pl.DataType) -> pl.Expr:
    """A partition's value from its text in the log, where an empty text is null."""
    value = pl.lit(text or None, pl.String)
    if isinstance(dtype, pl.Datetime):
        return value.str.to_datetime(time_unit="us", time_zone=dtype.time_zone, strict=True)
    if dtype == pl.Date:
        return value.str.to_date("%Y-%m-%d")
    return (value == "true") if dtype == pl.Boolean else value.cast(dtype)
