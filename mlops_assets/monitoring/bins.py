"""Bins of a reference: quantile edges of numbers, levels of categories, and the count of rows in them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LARGEST = float(np.finfo(np.float64).max)
LARGEST_SUMMED = 1e150


@dataclass(frozen=True, eq=False)
class NumericBins:
    """Bins (-inf, e0], (e0, e1], ..., (eE, inf) of a number or time.

    `coarse` flags the edges that also bound a verdict bin.
    """

    edges: Floats
    coarse: NDArray[np.bool_]
    temporal: bool = False

    @property
    def size(self) -> int:
        """Number of fine bins."""
        return len(self.edges) + 1

    @cached_property
    def verdict_bin(self) -> Ints:
        """For each fine bin the verdict bin it lies in, shape (size,)."""
        return np.concatenate([[0], np.cumsum(self.coarse)]).astype(np.int64)

    @property
    def pivot(self) -> float:
        """A value near the middle, around which squares are summed without cancellation."""
        middle = self.edges[len(self.edges) // 2] if len(self.edges) else 0.0
        return float(np.clip(middle, -LARGEST_SUMMED, LARGEST_SUMMED))


@dataclass(frozen=True, eq=False)
class CategoryBins:
    """A bin per level.

    Where the reference had more levels than are kept, what is not among them is `other`, else `unseen`.
    """

    levels: tuple[str, ...]
    complete: bool = True

    @property
    def size(self) -> int:
        """Number of levels."""
        return len(self.levels)


Bins = NumericBins | CategoryBins


def quantile_edges(ordered: Floats, bins: int) -> Floats:
    """Inner edges at the quantiles of `ordered` (ascending, no NaN), equal ones merged.

    At most `bins` values get one edge each.

    A value that holds at least a `bins`-th of the rows is a bin of its own: an edge lies at it and one right
    below it, so that a spike never hides in its neighbour. Quantiles are interpolated linearly (Hyndman and
    Fan, type 7).
    """
    if len(ordered) == 0:
        return np.empty(0)
    distinct = _few_distinct(ordered, bins)
    inner = distinct if distinct is not None else _quantiles(ordered, np.arange(1, bins) / bins)
    spikes = _spikes(ordered, bins)
    edges = np.concatenate([inner, spikes, np.nextafter(spikes, -np.inf)])
    return np.unique(np.clip(edges, -LARGEST, LARGEST))


def _few_distinct(ordered: Floats, limit: int) -> Floats | None:
    found = [ordered[0]]
    while (start := int(np.searchsorted(ordered, found[-1], side="right"))) < len(ordered):
        if len(found) == limit:
            return None
        found.append(ordered[start])
    return np.array(found)


def _quantiles(ordered: Floats, at: Floats) -> Floats:
    position = (len(ordered) - 1) * at
    low = np.floor(position).astype(np.int64)
    below, above = ordered[low], ordered[np.minimum(low + 1, len(ordered) - 1)]
    with np.errstate(invalid="ignore", over="ignore"):
        between = below + (above - below) * (position - low)
    # Between infinities there is nothing to interpolate.
    return np.where((below == above) | ~np.isfinite(between), below, between)


def _spikes(ordered: Floats, bins: int) -> Floats:
    width = max(int(np.ceil(len(ordered) / bins)), 2)
    candidates = np.unique(ordered[::width])
    held = np.searchsorted(ordered, candidates, side="right") - np.searchsorted(ordered, candidates, side="left")
    return np.asarray(candidates[(held >= width) & (np.abs(candidates) < LARGEST)])
