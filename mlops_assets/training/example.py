"""The input example of a model: one row such as it takes, which is nobody's."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from mlops_assets.features.steps import kind_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def typical_row(rows: pl.DataFrame, columns: Sequence[str]) -> dict[str, Any]:
    """Each column's middle value (numbers, times) or commonest (texts, truth values), null where all are."""
    return {column: _typical(rows[column]) for column in columns}


def _typical(column: pl.Series) -> Any:
    present = column.drop_nulls()
    if present.is_empty():
        return None
    match kind_of(column.name, column.dtype):
        case "number":
            return _middle(present.cast(pl.Float64).to_numpy())
        case "datetime":
            return _instant(present.sort()[len(present) // 2])
        case "text":
            return str(present.mode().sort()[0])
    return bool(present.mode().sort()[0])


def _middle(values: "NDArray[np.float64]") -> float:
    """The upper of two middle values, without sorting the others."""
    import numpy as np

    place = len(values) // 2
    return float(np.partition(values, place)[place])


def _instant(value: Any) -> datetime:
    """A date or a time as a datetime without a zone, in UTC."""
    if not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day)
    return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
