"""Feature tables: the columns a feature document asks for, one row per primary key."""

from collections.abc import Mapping

import polars as pl

from mlops_assets.config.features import FeatureConfig
from mlops_assets.features.aggregates import with_aggregates
from mlops_assets.features.joins import join_tables, require_columns


def feature_frame(
    source: pl.LazyFrame,
    config: FeatureConfig,
    tables: Mapping[str, pl.LazyFrame],
    *,
    history: pl.LazyFrame | None = None,
) -> pl.LazyFrame:
    """One row per row of `source`: primary keys, timestamp, features, aggregates and partition columns.

    `history` holds the rows that aggregates sum up where `source` is a part of them. `features` left empty takes every
    column of source and joins but the lake's own (`_…`). NaN is null.
    Raises FeatureError naming columns that are missing, and for joins that cannot be made.
    """
    require_columns([config.timestamp_column], source.collect_schema().names(), f"'{config.source_table}'")
    summed = with_aggregates(source, source if history is None else history, config)
    joined = join_tables(summed, config.joins, tables, time=config.timestamp_column)
    schema = joined.collect_schema()
    everything = [name for name in schema.names() if not name.startswith("_")]
    wanted = [*identity(config), *(config.features or everything), *config.aggregate_columns, *config.partition_columns]
    columns = list(dict.fromkeys(wanted))
    require_columns(columns, schema.names(), f"'{config.source_table}' with its joins")
    return joined.select(pl.col(name).fill_nan(None) if schema[name].is_float() else pl.col(name) for name in columns)


def identity(config: FeatureConfig) -> list[str]:
    """The columns that say which row it is: the primary keys and the timestamp."""
    return list(dict.fromkeys([*config.primary_keys, config.timestamp_column]))


def duplicate_keys(frame: pl.LazyFrame, config: FeatureConfig) -> int:
    """How many rows share their primary keys with an earlier row; 0 where the keys are unique."""
    counted = frame.select(pl.len() - pl.struct(config.primary_keys).n_unique())
    return int(counted.collect().item())


def null_keys(frame: pl.LazyFrame, config: FeatureConfig) -> int:
    """How many rows have a null in a primary key."""
    null = pl.any_horizontal(pl.col(key).is_null() for key in config.primary_keys)
    return int(frame.select(null.sum()).collect().item())
