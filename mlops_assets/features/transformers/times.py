"""Instants to numbers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd  # noqa: TID253

from mlops_assets.features.transformers.arrays import Stateless, cells, suffixed


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
        return suffixed(input_features, self.parts)


def _part(moments: pd.DatetimeIndex, part: str) -> Any:
    if part == "is_weekend":
        return np.where(moments.isna(), np.nan, moments.dayofweek >= 5).astype(np.float64)
    if part == "week":
        return moments.isocalendar().week.astype("float64").to_numpy(na_value=np.nan)
    return np.asarray(getattr(moments, part), dtype=np.float64)
