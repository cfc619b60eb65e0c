"""Rows in little memory: each column in the smallest type that holds its very values."""

from collections.abc import Collection

import polars as pl

BATCH = 200_000


def narrowed(table: pl.LazyFrame, columns: Collection[str]) -> pl.DataFrame:
    """The rows of `table` in their order, `columns` narrowed while they are read, a batch at a time.

    Whole numbers become as short as they fit, fractions single where that is exact, and texts that repeat categories.
    A model's frame holds the same values to the bit, because it widens all numbers to double.
    """
    batches = table.collect_batches(chunk_size=BATCH, maintain_order=True)
    parts = [batch.with_columns(narrow(batch[name]) for name in columns) for batch in batches]
    if not parts:
        return table.collect()
    return pl.concat(parts, how="vertical_relaxed")


def narrow(column: pl.Series) -> pl.Series:
    """The same values in the smallest type that holds each of them exactly."""
    if column.dtype.is_integer():
        return column.shrink_dtype()
    if column.dtype == pl.Float64:
        short = column.cast(pl.Float32)
        return short if bool(short.cast(pl.Float64).eq_missing(column).all()) else column
    if column.dtype == pl.String and column.n_unique() * 2 <= len(column):
        return column.cast(pl.Categorical)
    return column


def widened(column: pl.Series) -> pl.Series:
    """The same values in the one type that narrow ones come from."""
    if column.dtype.is_integer():
        return column.cast(pl.UInt64 if column.dtype == pl.UInt64 else pl.Int64)
    if column.dtype == pl.Float32:
        return column.cast(pl.Float64)
    return column.cast(pl.String) if isinstance(column.dtype, pl.Categorical) else column
