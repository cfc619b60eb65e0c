"""Which rows can be learned from: those with a label, no older than the document's window."""

import polars as pl

from mlops_assets.config.features import FeatureConfig
from mlops_assets.config.training import TrainingConfig
from mlops_assets.features.joins import require_columns
from mlops_assets.training.errors import TrainingError

SUPERVISED = ("classification", "regression")


def time_of(config: TrainingConfig, features: FeatureConfig) -> str:
    """The column that says when a row was."""
    return config.time_column or features.timestamp_column


def learnable(table: pl.LazyFrame, config: TrainingConfig, features: FeatureConfig) -> pl.LazyFrame:
    """The rows with a label (all, where it learns without) in the training window, which ends with the newest of them.

    Raises:
        FeatureError, TrainingError: a column that this is told by is missing, or its time is none.
    """
    schema, time = table.collect_schema(), time_of(config, features)
    rows = table.filter(_labelled(schema, config))
    _require_time(schema, time, config)
    if config.training_window is None:
        return rows
    return rows.filter(pl.col(time) >= pl.col(time).max() - config.training_window)


def unlabelled(table: pl.LazyFrame, config: TrainingConfig) -> int:
    """How many rows have no label to learn from."""
    return int(table.filter(~_labelled(table.collect_schema(), config)).select(pl.len()).collect().item())


def _labelled(schema: pl.Schema, config: TrainingConfig) -> pl.Expr:
    if config.model_type not in SUPERVISED:
        return pl.lit(value=True)
    require_columns([config.target_column], schema.names(), "the training rows")
    label = pl.col(config.target_column)
    known = label.is_not_null()
    return known & label.is_not_nan() if schema[config.target_column].is_float() else known


def _require_time(schema: pl.Schema, time: str, config: TrainingConfig) -> None:
    if config.training_window is not None:
        require_columns([time], schema.names(), "training_window: the training rows")
    if time in schema and not isinstance(schema[time], (pl.Date, pl.Datetime)):
        field = "time_column" if config.time_column else "timestamp_column"
        raise TrainingError(
            f"{field}: '{time}' is {schema[time]}, no date and no instant; cast it in its data document "
            "(a cast step, or columns)"
        )
