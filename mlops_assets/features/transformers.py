"""The fitted transforms that scikit-learn has not, as small transformers a skops file can hold.

Each takes and gives two-dimensional arrays, null in and null (NaN) out, and names its outputs.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd  # noqa: TID253
from sklearn.base import (  # noqa: TID253 - a model file names these classes, so they live at module level
    BaseEstimator,
    OneToOneFeatureMixin,
    TransformerMixin,
    clone,
)
from sklearn.utils.validation import check_is_fitted  # noqa: TID253

from mlops_assets.features.errors import FeatureError


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


class Stateless(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A transformer that learns nothing but its input's width."""

    def fit(self, table: Any, y: Any = None) -> "Stateless":
        """Notes how many columns come in."""
        self.n_features_in_ = cells(table).shape[1]
        return self


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
        columns = [_present(column) for column in cells(table).T]
        self.n_features_in_ = len(columns)
        self.categories_ = [_frequent(column, self.most) for column in columns]
        self.rare_ = [sorted(set(c) - set(kept)) for c, kept in zip(columns, self.categories_, strict=True)]
        return self

    def transform(self, table: Any) -> Any:
        """Shape (n, columns) in and out."""
        known = zip(cells(table).T, self.categories_, self.rare_, strict=True)
        return np.stack([_numbered(column, kept, rare) for column, kept, rare in known], axis=1)


class DatetimeParts(Stateless):
    """Parts of one instant as numbers; Monday is 0."""

    def __init__(self, parts: Sequence[str] = ("month", "dayofweek", "hour")) -> None:
        self.parts = parts

    def transform(self, table: Any) -> Any:
        """Shape (n, 1) to (n, parts)."""
        moments = pd.DatetimeIndex(pd.Series(cells(table)[:, 0]).astype("datetime64[us]"))
        return np.stack([_part(moments, part) for part in self.parts], axis=1)

    def get_feature_names_out(self, input_features: Sequence[str] | None = None) -> Any:
        """The column's name with each part."""
        return _suffixed(input_features, self.parts)


class TextLength(Stateless):
    """The length of one column's text in code points."""

    def transform(self, table: Any) -> Any:
        """Shape (n, 1) in and out."""
        return np.array([[np.nan if each is None else len(each)] for each in first_column(table)])

    def get_feature_names_out(self, input_features: Sequence[str] | None = None) -> Any:
        """`column_length`."""
        return _suffixed(input_features, ["length"])


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
        return _suffixed(input_features, list(range(self.n_features)))


class Words(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """TF-IDF weights of one column's words, the most frequent `max_features` of them; null is no word."""

    def __init__(self, max_features: int = 100) -> None:
        self.max_features = max_features

    def fit(self, table: Any, y: Any = None) -> "Words":
        """Learns words and their document frequencies."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        self.n_features_in_ = 1
        self.vectorizer_ = TfidfVectorizer(max_features=self.max_features).fit(self._texts(table))
        return self

    def transform(self, table: Any) -> Any:
        """Shape (n, 1) to (n, words)."""
        return self.vectorizer_.transform(self._texts(table)).toarray()

    def get_feature_names_out(self, input_features: Sequence[str] | None = None) -> Any:
        """The column's name with each word."""
        return _suffixed(input_features, self.vectorizer_.get_feature_names_out())

    def _texts(self, table: Any) -> list[str]:
        return ["" if each is None else str(each) for each in first_column(table)]


class Chosen(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Some outputs of another transformer of the column `column`, by name and in the order of `keep`."""

    def __init__(self, transformer: Any = None, column: str = "", keep: Sequence[str] = ()) -> None:
        self.transformer = transformer
        self.column = column
        self.keep = keep

    def fit(self, table: Any, y: Any = None) -> "Chosen":
        """Fits the inner transformer. Raises FeatureError where it has no output of a wanted name."""
        self.fit_transform(table, y)
        return self

    def fit_transform(self, table: Any, y: Any = None) -> Any:
        """Fits and gives the wanted outputs: what is cross-fitted stays so on the training rows."""
        self.n_features_in_ = 1
        self.transformer_ = clone(self.transformer)
        made = cells(self.transformer_.fit_transform(table, y))
        names = [str(name) for name in self.transformer_.get_feature_names_out([self.column])]
        for name in self.keep:
            if name not in names:
                # Not at the top: a serving worker loads this module, and never comes here.
                from mlops_assets.config.problems import did_you_mean

                hint = did_you_mean(name, names) or f"it has {', '.join(names[:20])}"
                raise FeatureError(f"the transformation of '{self.column}' has no output '{name}'; {hint}")
        self.places_ = [names.index(name) for name in self.keep]
        return made[:, self.places_]

    def transform(self, table: Any) -> Any:
        """Shape (n, 1) to (n, kept outputs)."""
        return cells(self.transformer_.transform(table))[:, self.places_]

    def get_feature_names_out(self, input_features: Sequence[str] | None = None) -> Any:
        """The kept names."""
        return np.asarray(list(self.keep), dtype=object)


def _numbered(column: Any, kept: list[str], rare: list[str]) -> Any:
    places = pd.Index([*kept, *rare], dtype=object).get_indexer(pd.Index(column, dtype=object))
    return np.where(places < 0, np.nan, np.minimum(places, len(kept)))


def _present(column: Any) -> list[str]:
    return [value for value in column.tolist() if isinstance(value, str)]


def _frequent(values: list[str], most: int) -> list[str]:
    """The sorted values, or the `most` - 1 most frequent of them where there are more than `most`."""
    counts = Counter(values)
    if len(counts) <= most:
        return sorted(counts)
    return sorted(sorted(counts, key=lambda value: (-counts[value], value))[: most - 1])


def _label(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _suffixed(input_features: Sequence[str] | None, suffixes: Sequence[Any]) -> Any:
    (column,) = input_features if input_features is not None else ("x",)
    return np.asarray([f"{column}_{suffix}" for suffix in suffixes], dtype=object)


def _part(moments: pd.DatetimeIndex, part: str) -> Any:
    if part == "is_weekend":
        return np.where(moments.isna(), np.nan, moments.dayofweek >= 5).astype(np.float64)
    if part == "week":
        return moments.isocalendar().week.astype("float64").to_numpy(na_value=np.nan)
    return np.asarray(getattr(moments, part), dtype=np.float64)
