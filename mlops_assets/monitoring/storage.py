"""Profiles as long rows, so that a Delta table keyed by window holds them all and any reader can sum them."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from mlops_assets.monitoring.bins import Bins, CategoryBins, NumericBins
from mlops_assets.monitoring.errors import MonitoringError
from mlops_assets.monitoring.summary import ColumnProfile, Profile, Reference

FRAME_SCHEMA = pl.Schema(
    {
        "reference_id": pl.String,
        "column": pl.String,
        "kind": pl.String,
        "bin": pl.Int32,
        "verdict_bin": pl.Int32,
        "lower": pl.Float64,
        "upper": pl.Float64,
        "level": pl.String,
        "count": pl.Int64,
        "sum": pl.Float64,
    }
)
"""One row per bin of a column.

`kind` is range, time_range, level, null, unseen, other, or stats and squares (numbers only).

A range is (lower, upper], null where it has no end; of `stats` they are the extremes, `count` and `sum` those
of all values; `sum` of `squares` is that of (x - pivot)^2. `bin` counts within ranges and levels, else it is
null.
"""


def to_frame(profile: Profile | Reference) -> pl.DataFrame:
    """The profile as rows of `FRAME_SCHEMA`; a reference is stored as the profile of its own rows."""
    found = profile.profile if isinstance(profile, Reference) else profile
    rows = [
        {"reference_id": found.reference_id, "column": name, **row}
        for name, column in found.columns.items()
        for row in _rows(column)
    ]
    return pl.DataFrame(rows, schema=FRAME_SCHEMA)


def from_frame(frame: pl.DataFrame) -> Profile:
    """The profile that `to_frame` stored, from its rows in any order.

    ValueError where they are of several references.
    """
    ids = frame["reference_id"].unique().to_list()
    if len(ids) != 1:
        raise MonitoringError(
            f"the rows are of {len(ids)} references; a profile has one: filter by window and reference_id"
        )
    columns = {str(name[0]): _column(rows) for name, rows in frame.group_by("column", maintain_order=True)}
    rows = {column.rows for column in columns.values()}
    if len(rows) != 1:
        raise MonitoringError(
            f"the columns count {sorted(rows)} rows; a window's rows are stored whole, or some are missing"
        )
    return Profile(str(ids[0]), rows.pop(), columns)


def reference_from_frame(frame: pl.DataFrame) -> Reference:
    """The reference that `to_frame` stored."""
    return Reference(from_frame(frame))


def _rows(column: ColumnProfile) -> Iterator[dict[str, Any]]:
    yield from _bin_rows(column)
    outside = {"null": column.null, "unseen": column.unseen, "other": column.other}
    for kind, count in outside.items():
        # Which of unseen and other a category has says whether its reference had more levels.
        if kind == "null" or kind in _outside(column.bins):
            yield {"kind": kind, "count": count}
    if isinstance(column.bins, NumericBins):
        ends = {"lower": _finite(column.minimum), "upper": _finite(column.maximum)}
        yield {"kind": "stats", "count": int(column.counts.sum()), "sum": float(column.sums.sum()), **ends}
        yield {"kind": "squares", "count": int(column.counts.sum()), "sum": column.squares}


def _outside(bins: Bins) -> tuple[str, ...]:
    if isinstance(bins, NumericBins):
        return ()
    return ("unseen",) if bins.complete else ("other",)


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _bin_rows(column: ColumnProfile) -> Iterator[dict[str, Any]]:
    bins = column.bins
    if isinstance(bins, CategoryBins):
        for index, level in enumerate(bins.levels):
            yield {
                "kind": "level",
                "bin": index,
                "verdict_bin": index,
                "level": level,
                "count": int(column.counts[index]),
            }
        return
    ends = [None, *bins.edges.tolist(), None]
    kind = "time_range" if bins.temporal else "range"
    for index, verdict in enumerate(bins.verdict_bin.tolist()):
        counted = {"count": int(column.counts[index]), "sum": float(column.sums[index])}
        yield {
            "kind": kind,
            "bin": index,
            "verdict_bin": verdict,
            "lower": ends[index],
            "upper": ends[index + 1],
            **counted,
        }


def _column(rows: pl.DataFrame) -> ColumnProfile:
    columns = rows.to_dict(as_series=False)
    at = {kind: index for index, kind in enumerate(columns["kind"])}
    order = sorted((place, index) for index, place in enumerate(columns["bin"]) if place is not None)
    binned = {name: [values[index] for _, index in order] for name, values in columns.items()}
    counts = np.array(binned["count"], dtype=np.int64)
    null, unseen, other = (columns["count"][at[kind]] if kind in at else 0 for kind in ("null", "unseen", "other"))
    if "stats" not in at:
        bins = CategoryBins(tuple(binned["level"]), complete="unseen" in at)
        return ColumnProfile(bins, counts, np.zeros(len(counts)), null, unseen, other)
    coarse = np.diff(np.array(binned["verdict_bin"])) > 0
    edges = np.array([end for end in binned["upper"] if end is not None], dtype=np.float64)
    numeric = NumericBins(edges, coarse, temporal=binned["kind"][0] == "time_range")
    squares, ends = columns["sum"][at["squares"]], (columns["lower"][at["stats"]], columns["upper"][at["stats"]])
    extremes = (_value_or(ends[0], np.inf), _value_or(ends[1], -np.inf))
    return ColumnProfile(numeric, counts, np.array(binned["sum"]), null, unseen, other, squares, *extremes)


def _value_or(value: float | None, fallback: float) -> float:
    return fallback if value is None else value
