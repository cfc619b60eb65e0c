"""What every transformer here does with its table: values as Python's or NumPy's, and names of outputs."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd  # noqa: TID253
from sklearn.base import BaseEstimator, TransformerMixin  # noqa: TID253 - a model file names these classes, so they live at module level


def cells(table: Any) -> Any:
    """The values of a table, shape (n, columns)."""
    values = np.asarray(table)
    return values.reshape(len(values), -1)


def first_column(table: Any) -> list[Any]:
    """The one column's values as Python values, null as None."""
    column = cells(table)[:, 0]
    return [None if missing else value for value, missing in zip(column.tolist(), pd.isna(column), strict=True)]


def floats(table: Any) -> Any:
    """The values as float64, shape (n, columns): null is NaN, true is 1."""
    return cells(table).astype(np.float64)


def suffixed(input_features: Sequence[str] | None, suffixes: Sequence[Any]) -> Any:
    """The one column's name with each suffix, as scikit-learn wants the names of outputs."""
    (column,) = input_features if input_features is not None else ("x",)
    return np.asarray([f"{column}_{suffix}" for suffix in suffixes], dtype=object)


class Stateless(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A transformer that learns nothing but its input's width."""

    def fit(self, table: Any, y: Any = None) -> "Stateless":
        """Notes how many columns come in."""
        self.n_features_in_ = cells(table).shape[1]
        return self
