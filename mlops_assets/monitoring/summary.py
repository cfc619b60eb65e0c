"""Mergeable profiles: of a column, of a window's rows, and of the reference that they are compared with."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Self

import numpy as np

from mlops_assets.monitoring.bins import Bins, CategoryBins, Floats, Ints, NumericBins
from mlops_assets.monitoring.errors import MonitoringError


@dataclass(frozen=True, eq=False)
class ColumnProfile:
    """Row counts of one column: per bin, shape (bins.size,), and of null, unseen and other values.

    `sums` has the shape of `counts` (zeros for categories), `squares` is the sum of (x - pivot)^2. Infinite
    values and those beyond 1e150 are counted, but not part of sums, squares or extremes. `minimum` and `maximum`
    are +inf and -inf if there is no value.
    """

    bins: Bins
    counts: Ints
    sums: Floats
    null: int = 0
    unseen: int = 0
    other: int = 0
    squares: float = 0.0
    minimum: float = np.inf
    maximum: float = -np.inf

    @property
    def rows(self) -> int:
        """All rows, including null, unseen and other."""
        return int(self.counts.sum()) + self.null + self.unseen + self.other

    @property
    def mean(self) -> float | None:
        """Mean of the values, None for categories or if there is no value."""
        values = int(self.counts.sum())
        return float(self.sums.sum()) / values if values and isinstance(self.bins, NumericBins) else None

    @property
    def deviation(self) -> float | None:
        """Standard deviation of the values (over n), None if there is no mean."""
        if self.mean is None or not isinstance(self.bins, NumericBins):
            return None
        variance = self.squares / int(self.counts.sum()) - (self.mean - self.bins.pivot) ** 2
        return float(np.sqrt(max(variance, 0.0)))

    def verdict_counts(self) -> Floats:
        """Rows per verdict bin, then null, unseen and other: shape (V + 3,)."""
        rows = self.counts.astype(np.float64)
        if isinstance(self.bins, NumericBins):
            rows = np.bincount(self.bins.verdict_bin, weights=rows).astype(np.float64)
        return np.concatenate([rows, [self.null, self.unseen, self.other]])

    def merge(self, other: Self) -> Self:
        """The profile of both sets of rows."""
        return replace(
            self,
            counts=self.counts + other.counts,
            sums=self.sums + other.sums,
            null=self.null + other.null,
            unseen=self.unseen + other.unseen,
            other=self.other + other.other,
            squares=self.squares + other.squares,
            minimum=min(self.minimum, other.minimum),
            maximum=max(self.maximum, other.maximum),
        )


@dataclass(frozen=True, eq=False)
class Profile:
    """The profile of a window's rows, by column.

    Profiles on the same reference's bins add up exactly, in any order and grouping.
    """

    reference_id: str
    rows: int
    columns: Mapping[str, ColumnProfile]

    def merge(self, other: Self) -> Self:
        """The profile of both sets of rows.

        ValueError if the two were counted into different references' bins.
        """
        same_reference(self, other)
        columns = {name: column.merge(other.columns[name]) for name, column in self.columns.items()}
        return replace(self, rows=self.rows + other.rows, columns=columns)


@dataclass(frozen=True, eq=False)
class Reference:
    """The bins that windows are counted into, with the counts of the reference's own rows.

    Stored once and read back.
    """

    profile: Profile

    @property
    def reference_id(self) -> str:
        """A digest of bins and counts, different for each reference."""
        return self.profile.reference_id

    @property
    def bins(self) -> Mapping[str, Bins]:
        """Bins by column."""
        return {name: column.bins for name, column in self.profile.columns.items()}


def same_reference(first: Profile, second: Profile) -> None:
    """Raise a ValueError if two profiles were counted into different references' bins."""
    if first.reference_id != second.reference_id:
        raise MonitoringError(
            f"the profiles were counted into bins of different references ({first.reference_id} and "
            f"{second.reference_id}); summarise both against one reference"
        )


def merge_profiles(profiles: Iterable[Profile]) -> Profile:
    """One profile of all rows, such as a week of days or the last eight Mondays.

    ValueError if there is none.
    """
    parts = list(profiles)
    if not parts:
        raise MonitoringError(
            "there is no profile to merge; a profile of no rows comes from summarise on an empty frame"
        )
    return reduce(Profile.merge, parts)


def empty_column(bins: Bins) -> ColumnProfile:
    """The profile of no rows."""
    return ColumnProfile(bins, np.zeros(bins.size, dtype=np.int64), np.zeros(bins.size))


def pools_its_tail(bins: Bins) -> bool:
    """Whether levels outside the bins are `other` (the reference had more levels) rather than `unseen`."""
    return isinstance(bins, CategoryBins) and not bins.complete
