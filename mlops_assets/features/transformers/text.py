"""Texts to numbers: how long they are, and which words they hold."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, clone  # noqa: TID253 - a model file names these classes, so they live at module level

from mlops_assets.features.transformers.arrays import Stateless, first_column, suffixed


class TextLength(Stateless):
    """The length of one column's text in code points."""

    def transform(self, table: Any) -> Any:
        """Shape (n, 1) in and out."""
        return np.array([[np.nan if each is None else len(each)] for each in first_column(table)])

    def get_feature_names_out(self, input_features: Sequence[str] | None = None) -> Any:
        """`column_length`."""
        return suffixed(input_features, ["length"])


class Words(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """TF-IDF weights of one column's words, the most frequent `max_features` of them; null is no word."""

    def __init__(self, max_features: int = 100) -> None:
        self.max_features = max_features

    def fit(self, table: Any, y: Any = None) -> "Words":
        """Learns words and their document frequencies."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        self.n_features_in_ = 1
        self.vectorizer_ = TfidfVectorizer(max_features=self.max_features).fit(_texts(table))
        return self

    def transform(self, table: Any) -> Any:
        """Shape (n, 1) to (n, words)."""
        return self.vectorizer_.transform(_texts(table)).toarray()

    def get_feature_names_out(self, input_features: Sequence[str] | None = None) -> Any:
        """The column's name with each word."""
        return suffixed(input_features, self.vectorizer_.get_feature_names_out())


class Vectorized(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A vectorizer of scikit-learn, which takes texts and no table, on one column; null is no word."""

    def __init__(self, vectorizer: Any = None) -> None:
        self.vectorizer = vectorizer

    def fit(self, table: Any, y: Any = None) -> "Vectorized":
        """Teaches a copy of the vectorizer."""
        self.n_features_in_ = 1
        self.vectorizer_ = clone(self.vectorizer).fit(_texts(table))
        return self

    def transform(self, table: Any) -> Any:
        """Shape (n, 1) to (n, words), or to as many columns as words are hashed into."""
        return self.vectorizer_.transform(_texts(table)).toarray()

    def get_feature_names_out(self, input_features: Sequence[str] | None = None) -> Any:
        """The column's name with each word, or with a number where words are hashed."""
        hashed = not hasattr(self.vectorizer_, "get_feature_names_out")
        words = range(self.vectorizer_.n_features) if hashed else self.vectorizer_.get_feature_names_out()
        return suffixed(input_features, list(words))


def _texts(table: Any) -> list[str]:
    return ["" if each is None else str(each) for each in first_column(table)]
