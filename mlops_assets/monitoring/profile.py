"""Fit a reference once, summarise each window's rows against it in one pass, and store both as long rows.

A day costs that day's rows: profiles of days merge into weeks and months without reading any row again.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches

import numpy as np
import polars as pl

from mlops_assets.monitoring.bins import (
    Bins,
    CategoryBins,
    Floats,
    NumericBins,
    quantile_edges,
)
from mlops_assets.monitoring.columns import as_numbers, kind_of
from mlops_assets.monitoring.errors import MonitoringError
from mlops_assets.monitoring.histogram import EdgeGrid, count_values
from mlops_assets.monitoring.levels import LevelTable
from mlops_assets.monitoring.storage import FRAME_SCHEMA, from_frame, reference_from_frame, to_frame
from mlops_assets.monitoring.summary import (
    ColumnProfile,
    Profile,
    Reference,
    empty_column,
    merge_profiles,
    pools_its_tail,
)

__all__ = [
    "FRAME_SCHEMA",
    "ColumnProfile",
    "Profile",
    "Reference",
    "fit_reference",
    "from_frame",
    "merge_profiles",
    "reference_from_frame",
    "summarise",
    "to_frame",
]

BATCH = 131_072


def fit_reference(
    frame: pl.LazyFrame | pl.DataFrame,
    columns: Sequence[str],
    *,
    bins: int = 10,
    fine_bins: int = 64,
    max_levels: int = 10_000,
) -> Reference:
    """Bins and counts of `columns`.

    Quantile edges of numbers and times, levels of strings, categories and booleans.

    `bins` bound the verdict's bins, `fine_bins` those of KS and Wasserstein; equal edges are merged, and a
    value with the weight of a bin gets its own bin. Beyond `max_levels` the rarest levels become `other`.
    NaN is null. MonitoringError for a column that is missing or has no distribution.
    """
    data = frame.lazy().select(_present(frame.lazy().collect_schema(), columns)).collect()
    fitted = {name: _fit(data[name], bins, fine_bins, max_levels) for name in columns}
    return Reference(Profile(_digest(fitted), data.height, fitted))


def summarise(frame: pl.LazyFrame | pl.DataFrame, reference: Reference) -> Profile:
    """Count a frame's rows into the reference's bins, batch by batch in one pass over the columns it needs.

    MonitoringError for a column that is missing or not of its reference's type.
    """
    bins, lazy = reference.bins, frame.lazy()
    schema = lazy.collect_schema()
    selected = lazy.select(_present(schema, list(bins)))
    for name, column_bins in bins.items():
        _require_type(name, schema[name], column_bins)
    counters = {name: _Counter(column_bins) for name, column_bins in bins.items()}
    rows = 0
    for batch in selected.collect_batches(chunk_size=BATCH):
        rows += batch.height
        for name, counter in counters.items():
            counter.add(batch[name])
    return Profile(reference.reference_id, rows, {name: counter.profile for name, counter in counters.items()})


class _Counter:
    """A column's profile so far, with the lookup table that counts a batch."""

    def __init__(self, bins: Bins) -> None:
        self.profile = empty_column(bins)
        self.prepared = EdgeGrid(bins.edges) if isinstance(bins, NumericBins) else LevelTable(pl.Enum(bins.levels))

    def add(self, series: pl.Series) -> None:
        if isinstance(self.prepared, EdgeGrid):
            added = _count_numbers(series, self.profile.bins, self.prepared)
        else:
            added = _count_levels(series, self.profile.bins, self.prepared)
        self.profile = self.profile.merge(added)


def _count_numbers(series: pl.Series, bins: Bins, grid: EdgeGrid) -> ColumnProfile:
    assert isinstance(bins, NumericBins)
    values = _present_values(series)
    counted = count_values(values, bins, grid)
    return ColumnProfile(
        bins,
        counted.counts,
        counted.sums,
        null=len(series) - len(values),
        squares=counted.squares,
        minimum=counted.minimum,
        maximum=counted.maximum,
    )


def _count_levels(series: pl.Series, bins: Bins, levels: LevelTable) -> ColumnProfile:
    counts = levels.count(series.cast(pl.String))
    outside = len(series) - int(counts.sum()) - series.null_count()
    other, unseen = (outside, 0) if pools_its_tail(bins) else (0, outside)
    return ColumnProfile(bins, counts, np.zeros(bins.size), series.null_count(), unseen, other)


def _present_values(series: pl.Series) -> Floats:
    values = as_numbers(series).to_numpy()
    missing = np.isnan(values)
    return values[~missing] if missing.any() else values


def _fit(series: pl.Series, bins: int, fine_bins: int, max_levels: int) -> ColumnProfile:
    kind = _kind(series.name, series.dtype)
    if kind in ("string", "boolean", "null"):
        return _fit_levels(series, max_levels)
    return _fit_numbers(series, bins, fine_bins, temporal=kind == "time")


def _kind(name: str, dtype: pl.DataType) -> str:
    try:
        return kind_of(dtype)
    except ValueError as problem:
        raise MonitoringError(f"column {name!r}: {problem}") from None


def _fit_numbers(series: pl.Series, bins: int, fine_bins: int, *, temporal: bool) -> ColumnProfile:
    ordered = as_numbers(series).fill_nan(None).drop_nulls().sort()
    coarse = quantile_edges(ordered.to_numpy(), bins)
    edges = np.union1d(coarse, quantile_edges(ordered.to_numpy(), fine_bins))
    numeric_bins = NumericBins(edges, np.isin(edges, coarse), temporal)
    counted = _count_numbers(ordered, numeric_bins, EdgeGrid(edges))
    return replace(counted, null=len(series) - len(ordered))


def _fit_levels(series: pl.Series, max_levels: int) -> ColumnProfile:
    present = series.cast(pl.String).drop_nulls().alias("level")
    counted = present.value_counts(name="rows").sort(["rows", "level"], descending=[True, False])
    top = counted.head(max_levels)
    bins = CategoryBins(tuple(top["level"].to_list()), complete=top.height == counted.height)
    counts = top["rows"].cast(pl.Int64).to_numpy()
    other = present.len() - int(counts.sum())
    return ColumnProfile(bins, counts, np.zeros(bins.size), series.null_count(), 0, other)


def _present(schema: pl.Schema, columns: Sequence[str]) -> list[str]:
    for name in columns:
        if name not in schema:
            nearest = get_close_matches(name, schema.names(), n=1)
            hint = f"; did you mean {nearest[0]!r}?" if nearest else f"; there are {', '.join(schema.names())}"
            raise MonitoringError(f"there is no column {name!r} to profile{hint}")
    return list(columns)


def _require_type(name: str, dtype: pl.DataType, bins: Bins) -> None:
    kind = _kind(name, dtype)
    expected = ("time" if bins.temporal else "number") if isinstance(bins, NumericBins) else "category"
    actual = "category" if kind in ("string", "boolean") else kind
    if actual not in (expected, "null"):
        raise MonitoringError(
            f"column {name!r} was a {expected} in the reference and is a {actual} ({dtype}) now; restore its type, "
            "or train again on the new one (a reference_dataset must have it too)"
        )


def _digest(columns: dict[str, ColumnProfile]) -> str:
    """Sixteen hexadecimal digits over names, bins and counts."""
    digest = hashlib.sha256()
    for name, column in columns.items():
        bins = column.bins
        text = "\0".join(bins.levels) if isinstance(bins, CategoryBins) else bins.edges.tobytes().hex()
        digest.update(f"{name}\0{text}\0{column.counts.tolist()}\0{column.null}\0{column.other}".encode())
    return digest.hexdigest()[:16]
