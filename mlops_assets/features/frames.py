"""From Polars rows to the pandas frame a model takes, with the very types a served request has."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from mlops_assets.features.joins import require_columns
from mlops_assets.features.steps import kind_of

if TYPE_CHECKING:
    import pandas


def model_frame(frame: pl.DataFrame, columns: Sequence[str]) -> "pandas.DataFrame":
    """The columns in order: numbers float64 (null NaN), texts objects (null None), truth values bool or,
    with nulls, objects, dates and datetimes datetime64[ns] in UTC without a zone.

    Raises FeatureError for a missing column and a type that no model takes.
    """
    import pandas as pd

    require_columns(columns, frame.columns, "the model's rows")
    return pd.DataFrame({column: _values(frame[column]) for column in columns}, index=range(frame.height))


def signature_types(schema: Mapping[str, pl.DataType], columns: Sequence[str]) -> list[tuple[str, str]]:
    """Each column with its MLflow type. Whole numbers are double, so that a null in a request is no error."""
    types = {"number": "double", "truth": "boolean", "text": "string", "datetime": "datetime"}
    return [(column, types[kind_of(column, schema[column])]) for column in columns]


def _values(column: pl.Series) -> Any:
    match kind_of(column.name, column.dtype):
        case "number":
            return column.cast(pl.Float64).to_numpy()
        case "truth":
            return column.to_numpy() if not column.null_count() else _objects(column)
        case "text":
            return _objects(column.cast(pl.String))
    moments = column.cast(pl.Datetime("ns", getattr(column.dtype, "time_zone", None)))
    if getattr(column.dtype, "time_zone", None):
        moments = moments.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return moments.to_numpy()


def _objects(column: pl.Series) -> Any:
    """The values as Python objects, one for all cells that are equal."""
    import numpy as np

    known = column.unique()
    objects = np.empty(len(known), dtype=object)
    objects[:] = known.to_list()
    numbers = column.replace_strict(known, pl.int_range(len(known), eager=True), return_dtype=pl.UInt32)
    # Of no cell, Polars does not give the type that is asked for.
    return objects[numbers.cast(pl.UInt32).to_numpy()]
