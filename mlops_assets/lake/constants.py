"""A step's constants as values of the columns that they are put into."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import polars as pl

from mlops_assets.lake.errors import LakeError
from mlops_assets.lake.types import cast


def require_constants(step: Any, types: Mapping[str, pl.DataType]) -> None:
    """Raise LakeError for the first constant of the step that is no value of its column's type."""
    for column, value in step.values.items():
        try:
            stored = pl.select(constant(value, types[column])).item()
        except pl.exceptions.PolarsError:
            stored = None
        if stored is None or not _kept(value, stored, types[column]):
            raise LakeError(
                f"step {step.type}: {value!r} is no value of column '{column}', which is {types[column]}; write one of "
                "that type, or cast the column before"
            )


def _kept(value: Any, stored: Any, dtype: pl.DataType) -> bool:
    """Whether a column of the type has the constant itself, neither rounded nor cut."""
    if isinstance(dtype, pl.Decimal):
        return bool(stored == Decimal(str(value)))
    if dtype == pl.Date:
        return not isinstance(value, float) or value.is_integer()
    whole = dtype.is_integer() or dtype == pl.Boolean
    return isinstance(value, str) or not whole or bool(stored == value)


def constant(value: Any, stored: pl.DataType) -> pl.Expr:
    """A constant as a column's type; text is read as a date or an instant as it is in a source."""
    kind = "datetime" if isinstance(stored, pl.Datetime) else "date" if stored == pl.Date else None
    if kind is None or not isinstance(value, str):
        return pl.lit(value).cast(stored)
    found = pl.DataFrame({"text": [value]}).select(cast("text", pl.String(), kind).cast(stored))
    return pl.lit(found.to_series()).first()
