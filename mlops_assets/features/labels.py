"""Labels as they are, for a classifier that takes none but 0, 1, …

Model files name this class by this module: it may not move.
"""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone  # noqa: TID253 - a model file names this class, so it lives at module level
from sklearn.utils import get_tags  # noqa: TID253


class NumberedLabels(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """`estimator` taught with the number of each row's label among the sorted ones, and its answers as labels again."""

    def __init__(self, estimator: Any = None) -> None:
        self.estimator = estimator

    def fit(self, table: Any, y: Any, sample_weight: Any = None) -> "NumberedLabels":
        """Learns the labels and teaches a copy of the estimator."""
        self.classes_, numbers = np.unique(y, return_inverse=True)
        self.n_features_in_ = table.shape[1]
        self.estimator_ = clone(self.estimator).fit(table, numbers, sample_weight=sample_weight)
        return self

    def predict(self, table: Any) -> Any:
        """A label per row, shape (n,)."""
        return self.classes_[self.estimator_.predict(table).astype(np.int64)]

    def predict_proba(self, table: Any) -> Any:
        """A probability per row and label, in the order of `classes_`, shape (n, labels)."""
        return self.estimator_.predict_proba(table)

    def __sklearn_tags__(self) -> Any:
        """The estimator's: what it takes, this takes."""
        return get_tags(self.estimator)
