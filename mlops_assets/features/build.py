"""The rows of a feature table, on whichever engine its source's rows belong to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from mlops_assets.config.features import FeatureConfig
from mlops_assets.features.aggregates import past_of
from mlops_assets.features.table import duplicate_keys, feature_frame, null_keys


@dataclass(frozen=True)
class Built:
    """Feature rows; `duplicates` repeat the primary keys of an earlier row, `nulls` lack a part of them."""

    frame: Any
    read: int
    duplicates: int
    nulls: int


def build(rows: Any, source: Any, config: FeatureConfig, tables: Mapping[str, Any], keep: Any) -> Built:
    """The feature rows of `rows`, some of the `source`'s. `keep` is told of a frame that is read more than once.

    Raises:
        FeatureError: a column is not there, or a join cannot be made.
    """
    return (_polars if isinstance(rows, pl.DataFrame) else _spark)(rows, source, config, tables, keep)


def with_deleted_keys(frame: Any, vanished: Any, gone: str) -> Any:
    """Feature rows, and the keys to delete from the table marked by the column `gone`, as a merge expects them."""
    if isinstance(frame, pl.DataFrame):
        here, left = frame.with_columns(pl.lit(False).alias(gone)), vanished.with_columns(pl.lit(True).alias(gone))
        return pl.concat([here, left], how="diagonal_relaxed")
    from mlops_assets.rules.spark_operations import functions

    here, left = (each.withColumn(gone, functions().lit(said)) for each, said in ((frame, False), (vanished, True)))
    return here.unionByName(left, allowMissingColumns=True)


def _polars(
    rows: pl.DataFrame, source: pl.LazyFrame, config: FeatureConfig, tables: Mapping[str, pl.LazyFrame], keep: Any
) -> Built:
    history = past_of(rows, source, config) if config.aggregates else None
    frame = feature_frame(rows.lazy(), config, tables, history=history).collect()
    return Built(frame, rows.height, duplicate_keys(frame.lazy(), config), null_keys(frame.lazy(), config))


def _spark(rows: Any, source: Any, config: FeatureConfig, tables: Mapping[str, Any], keep: Any) -> Built:
    from mlops_assets.features.spark.table import feature_frame as on_spark
    from mlops_assets.features.spark.table import key_problems

    frame = keep(on_spark(rows, config, tables, history=source))
    return Built(frame, rows.count(), *key_problems(frame, config))
