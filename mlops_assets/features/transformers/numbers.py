"""Numbers to numbers: as float64, logarithms, bounds and bins."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin  # noqa: TID253 - a model file names these classes, so they live at module level

from mlops_assets.features.transformers.arrays import Stateless, floats


class AsFloat(OneToOneFeatureMixin, Stateless):  # type: ignore[misc]
    """Numbers and truth values as float64, null as NaN."""

    def transform(self, table: Any) -> Any:
        """Shape (n, columns) in and out."""
        return floats(table)


class Log1p(OneToOneFeatureMixin, Stateless):  # type: ignore[misc]
    """The natural logarithm of one plus the value; null where that is not a number (value <= -1)."""

    def transform(self, table: Any) -> Any:
        """Shape (n, columns) in and out."""
        values = floats(table)
        return np.log1p(np.where(values > -1, values, np.nan))


class Clip(OneToOneFeatureMixin, Stateless):  # type: ignore[misc]
    """Holds numbers between two bounds; None is no bound."""

    def __init__(self, lower: float | None = None, upper: float | None = None) -> None:
        self.lower = lower
        self.upper = upper

    def transform(self, table: Any) -> Any:
        """Shape (n, columns) in and out."""
        return np.clip(floats(table), self.lower, self.upper)


class Buckets(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """The number of the bin a value falls in, from 0; a value on an edge belongs to the bin above it.

    `edges` are the inner edges; without them they are the training rows' quantiles.
    """

    def __init__(self, n_bins: int | None = None, edges: Sequence[float] = ()) -> None:
        self.n_bins = n_bins
        self.edges = edges

    def fit(self, table: Any, y: Any = None) -> "Buckets":
        """Learns the inner edges of `n_bins` bins of equal counts, without nulls; equal edges are one."""
        values = floats(table)
        self.n_features_in_ = values.shape[1]
        if self.n_bins is None:
            self.edges_ = [np.asarray(self.edges, dtype=np.float64)] * values.shape[1]
            return self
        shares = np.arange(1, self.n_bins) / self.n_bins
        present = [column[~np.isnan(column)] for column in values.T]
        self.edges_ = [np.unique(np.quantile(each, shares)) if len(each) else np.empty(0) for each in present]
        return self

    def transform(self, table: Any) -> Any:
        """Shape (n, columns) in and out."""
        values = floats(table)
        bins = [
            np.searchsorted(edges, column, side="right") for edges, column in zip(self.edges_, values.T, strict=True)
        ]
        return np.where(np.isnan(values), np.nan, np.stack(bins, axis=1).astype(np.float64))
