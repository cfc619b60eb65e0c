"""A step's constants as values of the columns that they are put into."""

from collections.abc import Mapping
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
        if stored is None or (types[column].is_integer() and stored != value and not isinstance(value, str)):
            raise LakeError(
                f"step {step.type}: {value!r} is no value of column '{column}', which is {types[column]}; write one of "
                "that type, or cast the column before"
            )


def constant(value: Any, stored: pl.DataType) -> pl.Expr:
    """A constant as a column's type; text is read as a date or an instant as it is in a source."""
    kind = "datetime" if isinstance(stored, pl.Datetime) else "date" if stored == pl.Date else None
    if kind is None or not isinstance(value, str):
        return pl.lit(value).cast(stored)
    found = pl.DataFrame({"text": [value]}).select(cast("text", pl.String(), kind).cast(stored))
    return pl.lit(found.to_series()).first()
