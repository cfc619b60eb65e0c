"""Feature tables on Spark: one row per primary key, with the columns that a feature document asks for."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from mlops_assets.config.features import FeatureConfig
from mlops_assets.features import table
from mlops_assets.features.spark.aggregates import with_aggregates
from mlops_assets.features.spark.joins import join_tables
from mlops_assets.lake.spark.types import polars_schema, quoted, spark_schema
from mlops_assets.lake.storable import normalised
from mlops_assets.rules.spark_operations import functions

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def feature_frame(
    rows: "DataFrame", config: FeatureConfig, tables: Mapping[str, Any], *, history: "DataFrame"
) -> "DataFrame":
    """One row per row of `rows`; meaning, columns and refusals as in `features.table`.

    The Polars table of no rows says what is wrong with columns and types, and what the result has.
    """
    plan = table.feature_frame(_empty(rows), config, {name: _empty(frame) for name, frame in tables.items()})
    wanted = spark_schema(normalised(plan.collect()).schema)
    summed = with_aggregates(rows, history, config)
    joined = join_tables(summed, config.joins, tables, time=config.timestamp_column)
    return joined.select(*(quoted(field.name).cast(field.dataType).alias(field.name) for field in wanted))


def key_problems(frame: "DataFrame", config: FeatureConfig) -> tuple[int, int]:
    """Rows that share their primary keys with another, beyond the first, and rows with a null in them."""
    f = functions()
    keys = [quoted(key) for key in config.primary_keys]
    missing = f.coalesce(*(f.when(key.isNull(), f.lit(1)) for key in keys))
    figures = frame.agg(
        (f.count(f.lit(1)) - f.count_distinct(f.struct(*keys))).alias("duplicates"), f.count(missing).alias("nulls")
    ).collect()[0]
    return figures["duplicates"], figures["nulls"]


def _empty(frame: "DataFrame") -> pl.LazyFrame:
    return pl.LazyFrame(schema=polars_schema(frame))
