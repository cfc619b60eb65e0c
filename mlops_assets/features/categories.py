"""Declared categories against a column's values: those that none of them can be would make every row unknown."""

from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import Any

import polars as pl

from mlops_assets.config.feature_transforms import Impute, OneHotEncode, OrdinalEncode, TransformSpec
from mlops_assets.features.errors import FeatureError

SHOWN = 5


def check_categories(column: pl.Series, specs: Sequence[TransformSpec]) -> None:
    """Raises FeatureError if none of the categories that `specs` declare for `column` is among its values."""
    imputed = sum(1 for _ in takewhile(lambda spec: isinstance(spec, Impute), specs))
    spec = specs[imputed] if imputed < len(specs) else None
    if not isinstance(spec, (OneHotEncode, OrdinalEncode)) or not spec.categories:
        return
    text = isinstance(column.dtype, (pl.String, pl.Categorical, pl.Enum))
    values = (column.cast(pl.String) if text else column).unique().drop_nulls().sort().to_list()
    if values and not set(values) & set(spec.categories):
        number = f"[{imputed}]" if len(specs) > 1 else ""
        raise FeatureError(
            f"feature_transformations.{column.name}{number}.categories: none of {_shown(spec.categories)} is in the "
            f"column, which is {column.dtype} and holds {_shown(values)}"
        )


def _shown(values: Iterable[Any]) -> str:
    """Some values, as Python writes them: texts in quotes."""
    known = list(values)
    more = f" and {len(known) - SHOWN} more" if len(known) > SHOWN else ""
    return ", ".join(map(repr, known[:SHOWN])) + more
