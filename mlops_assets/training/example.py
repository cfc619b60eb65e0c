"""The input example of a model: one row such as it takes, which is nobody's."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl

from mlops_assets.features.steps import kind_of


def typical_row(rows: pl.DataFrame, columns: Sequence[str]) -> dict[str, Any]:
    """Each column's middle value (numbers, times) or commonest (texts, truth values), null where all are."""
    return {column: _typical(rows[column]) for column in columns}


def _typical(column: pl.Series) -> Any:
    present = column.drop_nulls()
    if present.is_empty():
        return None
    match kind_of(column.name, column.dtype):
        case "number":
            return present.cast(pl.Float64).quantile(0.5, interpolation="higher")
        case "datetime":
            return _instant(present.sort()[len(present) // 2])
        case "text":
            return str(present.mode().sort()[0])
    return bool(present.mode().sort()[0])


def _instant(value: Any) -> datetime:
    """A date or a time as a datetime without a zone, in UTC."""
    if not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day)
    return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
