"""Effects and tests between two profiles of one column, counted into the same bins."""

import numpy as np

from mlops_assets.monitoring import statistics
from mlops_assets.monitoring.bins import CategoryBins, Floats, NumericBins
from mlops_assets.monitoring.mmd import mmd_of_counts
from mlops_assets.monitoring.summary import ColumnProfile

ROWS_PER_BIN = 30
EXPECTED_ROWS = 5.0


def verdict_bins(reference: ColumnProfile, current: ColumnProfile) -> tuple[Floats, Floats, float]:
    """Rows per occupied verdict bin of both sides, and the share of the reference in pooled levels.

    Null, unseen and other are bins. Levels that would hold fewer than 30 rows of the smaller side are
    pooled into `other`.
    """
    first, second = reference.verdict_counts(), current.verdict_counts()
    if not isinstance(reference.bins, CategoryBins) or first.sum() == 0:
        return *statistics.occupied(first, second), 0.0
    levels = np.arange(len(first)) < reference.bins.size
    expected = first / first.sum() * min(first.sum(), second.sum())
    rare = levels & (expected < ROWS_PER_BIN)
    for side in (first, second):
        side[-1] += side[rare].sum()
        side[rare] = 0.0
    return *statistics.occupied(first, second), float(first[-1] / first.sum())


def null_effect(reference: ColumnProfile, current: ColumnProfile) -> float:
    """Debiased PSI of null against not null; 0 where a side has no rows."""
    if reference.rows == 0 or current.rows == 0:
        return 0.0
    counts = [[side.null, side.rows - side.null] for side in (reference, current)]
    return statistics.psi(*counts) - statistics.psi_bias(*counts)


def pool_sparse(reference: Floats, current: Floats) -> tuple[Floats, Floats]:
    """The same bins with those pooled that are too sparse for a chi-square (Cochran.

    5 rows expected on the smaller side).
    """
    together = reference + current
    expected = together * min(reference.sum(), current.sum()) / together.sum()
    order = np.argsort(expected, kind="stable")
    sparse = int((expected < EXPECTED_ROWS).sum())
    # The pool itself may be too sparse: it takes the next smallest bin in.
    if 0 < sparse < len(order) and expected[order[:sparse]].sum() < EXPECTED_ROWS:
        sparse += 1
    kept, pool = order[sparse:], order[:sparse]
    first = np.append(reference[kept], reference[pool].sum())
    second = np.append(current[kept], current[pool].sum())
    return first, second


def ordered_ks(reference: ColumnProfile, current: ColumnProfile) -> tuple[float, float]:
    """KS over the fine bins, null lying below all values, so that a column that turns null is seen."""
    first, second = (np.concatenate([[side.null], side.counts]) for side in (reference, current))
    return statistics.ks_of_counts(first, second)


def mmd(reference: ColumnProfile, current: ColumnProfile) -> tuple[float, float]:
    """MMD and its p over the fine bins, each at the mean of both sides' values in it."""
    rows = reference.counts + current.counts
    with np.errstate(invalid="ignore", over="ignore"):
        values = (reference.sums + current.sums) / np.where(rows > 0, rows, np.nan)
    first, second = (np.append(side.counts, side.null).astype(np.float64) for side in (reference, current))
    return mmd_of_counts(first, second, values)


def wasserstein(reference: ColumnProfile, current: ColumnProfile) -> tuple[float, float]:
    """Distance in the column's units and in standard deviations of the reference."""
    if reference.counts.sum() == 0 or current.counts.sum() == 0:
        return 0.0, 0.0
    assert isinstance(reference.bins, NumericBins)
    distance = binned_wasserstein(reference, current, reference.bins.edges)
    spread = reference.deviation or 0.0
    return distance, distance / spread if spread > 0 else (np.inf if distance > 0 else 0.0)


def binned_wasserstein(reference: ColumnProfile, current: ColumnProfile, edges: Floats) -> float:
    """First Wasserstein distance from counts and sums per bin: exact unless the CDFs cross within a bin.

    The integral of F - G over (a, b] is b (F - G)(b) - a (F - G)(a) - (S_F / n - S_G / m), S being the bin's
    sums.
    """
    n, m = reference.counts.sum(), current.counts.sum()
    gap = (np.cumsum(reference.counts) / n - np.cumsum(current.counts) / m)[:-1] * edges
    ends = np.concatenate([[0.0], gap, [0.0]])
    with np.errstate(over="ignore"):
        return float(np.abs(np.diff(ends) - (reference.sums / n - current.sums / m)).sum())
