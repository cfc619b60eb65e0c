"""Categories to numbers: a column for each, one number, or hashed."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd  # noqa: TID253
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin  # noqa: TID253 - a model file names these classes, so they live at module level
from sklearn.utils.validation import check_is_fitted  # noqa: TID253

from mlops_assets.features.errors import FeatureError
from mlops_assets.features.transformers.arrays import Stateless, cells, first_column, suffixed


class OneHot(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """One column of 0 and 1 per category of one column; null and unseen values are 0 everywhere.

    `categories` left empty are the training rows' sorted values. `output_columns` name them in that order;
    left empty, the names are `column_category`.
    """

    def __init__(self, categories: Sequence[Any] = (), output_columns: Sequence[str] = ()) -> None:
        self.categories = categories
        self.output_columns = output_columns

    def fit(self, table: Any, y: Any = None) -> "OneHot":
        """Learns the categories. Raises FeatureError where they are not as many as `output_columns`."""
        self.n_features_in_ = 1
        found = {value for value in first_column(table) if value is not None}
        self.categories_ = list(self.categories) or sorted(found)
        if self.output_columns and len(self.output_columns) != len(self.categories_):
            raise FeatureError(
                f"one_hot_encode names {len(self.output_columns)} output_columns "
                f"({', '.join(self.output_columns)}) and the training rows hold {len(self.categories_)} "
                f"values ({', '.join(map(str, self.categories_[:10]))}); list the categories"
            )
        return self

    def transform(self, table: Any) -> Any:
        """Shape (n, 1) to (n, categories)."""
        check_is_fitted(self)
        place = {value: number for number, value in enumerate(self.categories_)}
        hits = np.array([place.get(value, -1) for value in first_column(table)], dtype=np.int64)
        return (hits[:, None] == np.arange(len(place))).astype(np.float64)

    def get_feature_names_out(self, input_features: Sequence[str] | None = None) -> Any:
        """`output_columns`, or the column's name with each category."""
        (column,) = input_features if input_features is not None else ("x",)
        made = [f"{column}_{_label(value)}" for value in self.categories_]
        return np.asarray(list(self.output_columns) or made, dtype=object)


class Categories(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Texts as numbers 0, 1, … in sorted order, for native categories; null and unseen are NaN.

    Beyond `most` categories the rarest share the last number. Scikit-learn's OrdinalEncoder, once it has
    `max_categories`, makes null a category like any other.
    """

    def __init__(self, most: int = 254) -> None:
        self.most = most

    def fit(self, table: Any, y: Any = None) -> "Categories":
        """Learns each column's categories, the most frequent first where they are too many."""
        counts = [_counts(column) for column in cells(table).T]
        self.n_features_in_ = len(counts)
        self.categories_ = [_frequent(each, self.most) for each in counts]
        self.rare_ = [sorted(set(each) - set(kept)) for each, kept in zip(counts, self.categories_, strict=True)]
        return self

    def transform(self, table: Any) -> Any:
        """Shape (n, columns) in and out."""
        known = zip(cells(table).T, self.categories_, self.rare_, strict=True)
        return np.stack([_numbered(column, kept, rare) for column, kept, rare in known], axis=1)


class AsObjects(OneToOneFeatureMixin, Stateless):  # type: ignore[misc]
    """Values as Python's: of NumPy's, scikit-learn's OrdinalEncoder takes categories in ascending order only."""

    def transform(self, table: Any) -> Any:
        """Shape (n, columns) in and out."""
        return cells(table).astype(object)


class HashColumns(Stateless):
    """One column's category hashed into a fixed number of columns (scikit-learn's FeatureHasher)."""

    def __init__(self, n_features: int = 16) -> None:
        self.n_features = n_features

    def transform(self, table: Any) -> Any:
        """Shape (n, 1) to (n, n_features); null is 0 everywhere."""
        from sklearn.feature_extraction import FeatureHasher

        hasher = FeatureHasher(self.n_features, input_type="string")
        return hasher.transform([[] if each is None else [str(each)] for each in first_column(table)]).toarray()

    def get_feature_names_out(self, input_features: Sequence[str] | None = None) -> Any:
        """`column_0`, `column_1`, …"""
        return suffixed(input_features, list(range(self.n_features)))


def _numbered(column: Any, kept: list[str], rare: list[str]) -> Any:
    places = pd.Index([*kept, *rare], dtype=object).get_indexer(pd.Index(column, dtype=object))
    return np.where(places < 0, np.nan, np.minimum(places, len(kept)))


def _counts(column: Any) -> dict[str, int]:
    """How often each text is in a column; what is no text is left out."""
    counts = pd.Series(column, dtype=object).value_counts(sort=False)
    return {value: count for value, count in counts.items() if isinstance(value, str)}


def _frequent(counts: Mapping[str, int], most: int) -> list[str]:
    """The sorted texts, or the `most` - 1 most frequent of them where there are more than `most`."""
    if len(counts) <= most:
        return sorted(counts)
    return sorted(sorted(counts, key=lambda value: (-counts[value], value))[: most - 1])


def _label(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
