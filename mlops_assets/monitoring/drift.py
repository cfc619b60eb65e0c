"""Drift of one column between two samples; for windows of a monitored model see `profile` and `verdict`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np
import polars as pl

from mlops_assets.monitoring import statistics
from mlops_assets.monitoring.bins import Floats, quantile_edges
from mlops_assets.monitoring.columns import Column, paired
from mlops_assets.monitoring.mmd import mmd_test

TESTS = ("ks_test", "chi_square", "mmd")
DISTANCES = ("psi", "wasserstein", "jensen_shannon", "hellinger", "total_variation")
METHODS = TESTS + DISTANCES
DEFAULT_BINS = 10

_of_counts: dict[str, Callable[[Floats, Floats], float]] = {
    "psi": statistics.psi,
    "jensen_shannon": statistics.jensen_shannon,
    "hellinger": statistics.hellinger,
    "total_variation": statistics.total_variation,
}


@dataclass(frozen=True)
class Comparison:
    """What one method says of two columns.

    `p_value` is None for a distance, null shares are fractions of each column.
    """

    method: str
    statistic: float
    p_value: float | None
    threshold: float
    drifted: bool
    reference_nulls: float
    current_nulls: float


def known_method(method: str) -> str:
    """The method as it is; ValueError with the nearest name where there is no such method."""
    if method in METHODS:
        return method
    nearest = get_close_matches(str(method), METHODS, n=1, cutoff=0.4)
    hint = f"did you mean {nearest[0]!r}?" if nearest else ""
    raise ValueError(f"unknown drift method {method!r}; {hint} take one of {', '.join(METHODS)}".replace(";  ", "; "))


def default_threshold(method: str) -> float:
    """0.05 for the p of a test, 0.1 for a distance."""
    return 0.05 if method in TESTS else 0.1


def compare(
    reference: Any,
    current: Any,
    *,
    method: str,
    threshold: float | None = None,
    bins: int | Sequence[float] | None = None,
) -> Comparison:
    """Compare two columns (lists, NumPy arrays or Polars series; NaN is null).

    Drifted where p < threshold (`ks_test`, `chi_square`, `mmd`; default 0.05) or statistic > threshold (distances;
    default 0.1; that of `wasserstein` in standard deviations of the reference). Methods on bins take levels
    of strings and booleans, and for numbers quantile bins of the reference (`bins`: how many, default 10, or
    the inner edges), null being a bin of its own; `ks_test`, `wasserstein` and `mmd` (of 1,000 rows a side, drawn and
    permuted by a seed) take the values that are there.
    ValueError for an unknown method, an empty column or mixed types.
    """
    known_method(method)
    first, second = paired(reference, current)
    limit = default_threshold(method) if threshold is None else float(threshold)
    statistic, p_value, effect = _measure(first, second, method, bins)
    drifted = effect > limit if p_value is None else p_value < limit
    nulls = (first.nulls / len(first.values), second.nulls / len(second.values))
    return Comparison(method, statistic, p_value, limit, drifted, *nulls)


def _measure(
    first: Column, second: Column, method: str, bins: int | Sequence[float] | None
) -> tuple[float, float | None, float]:
    """Statistic, p, and the statistic in the threshold's unit."""
    if method in ("ks_test", "wasserstein", "mmd"):
        return _of_values(first, second, method)
    counts = binned(first, second, bins)
    if method == "chi_square":
        statistic, p_value = statistics.chi_square(*counts)
        return statistic, p_value, statistic
    statistic = _of_counts[method](*counts)
    return statistic, None, statistic


def _of_values(first: Column, second: Column, method: str) -> tuple[float, float | None, float]:
    try:
        x, y = first.numbers(), second.numbers()
    except ValueError as problem:
        raise ValueError(f"{method}: {problem}") from None
    for name, values in (("reference", x), ("current", y)):
        if len(values) == 0:
            raise ValueError(f"the {name} column holds nulls alone; {method} needs values, psi counts nulls as a bin")
    if method == "ks_test":
        statistic, p_value = statistics.ks_test(x, y)
        return statistic, p_value, statistic
    if method == "mmd":
        if not np.isfinite(np.concatenate([x, y])).all():
            raise ValueError("mmd: a distance to infinity is no number; take ks_test or psi")
        statistic, p_value = mmd_test(x, y)
        return statistic, p_value, statistic
    with np.errstate(over="ignore", invalid="ignore"):
        statistic, spread = statistics.wasserstein(x, y), float(x.std())
    if not np.isfinite([statistic, spread]).all():
        raise ValueError("wasserstein: a distance to infinity is no number; take ks_test or psi")
    in_deviations = statistic / spread if spread > 0 else (np.inf if statistic > 0 else 0.0)
    return statistic, None, in_deviations


def binned(first: Column, second: Column, bins: int | Sequence[float] | None = None) -> tuple[Floats, Floats]:
    """Rows per bin of both columns, shape (B,) each; the last bin counts nulls."""
    if first.kind in ("number", "time"):
        edges = _edges(first, bins)
        return _count_numbers(first, edges), _count_numbers(second, edges)
    levels = pl.concat([first.values, second.values]).drop_nulls().unique().sort()
    return _count_levels(first, levels), _count_levels(second, levels)


def _edges(reference: Column, bins: int | Sequence[float] | None) -> Floats:
    if bins is None or isinstance(bins, int):
        number = DEFAULT_BINS if bins is None else bins
        if number < 2:
            raise ValueError(f"bins is {number}; a distribution needs at least 2")
        return quantile_edges(np.sort(reference.numbers()), number)
    edges = np.asarray(bins, dtype=np.float64)
    if edges.ndim != 1 or not (np.diff(edges) > 0).all():
        raise ValueError("bins, given as edges, are ascending numbers without repetition")
    return edges


def _count_numbers(column: Column, edges: Floats) -> Floats:
    rows = np.bincount(np.searchsorted(edges, column.numbers(), side="left"), minlength=len(edges) + 1)
    return np.append(rows, column.nulls).astype(np.float64)


def _count_levels(column: Column, levels: pl.Series) -> Floats:
    counted = column.values.drop_nulls().alias("level").value_counts(name="rows")
    rows = pl.DataFrame({"level": levels}).join(counted, on="level", how="left", maintain_order="left")["rows"]
    return np.append(rows.fill_null(0).to_numpy(), column.nulls).astype(np.float64)
