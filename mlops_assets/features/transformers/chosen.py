"""Some of the outputs of another transformer."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, clone  # noqa: TID253 - a model file names these classes, so they live at module level

from mlops_assets.features.errors import FeatureError
from mlops_assets.features.transformers.arrays import cells


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
        made = cells(_dense(self.transformer_.fit_transform(table, y)))
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
        return cells(_dense(self.transformer_.transform(table)))[:, self.places_]

    def get_feature_names_out(self, input_features: Sequence[str] | None = None) -> Any:
        """The kept names."""
        return np.asarray(list(self.keep), dtype=object)


def _dense(made: Any) -> Any:
    """What a transformer made, with its zeros where it left them out."""
    return made.toarray() if hasattr(made, "toarray") else made
