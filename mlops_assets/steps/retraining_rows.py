"""Rows that a retraining learns from: all, the newest, or those since the drift began."""

from collections.abc import Mapping
from datetime import UTC

import polars as pl

from mlops_assets.config import Project
from mlops_assets.config.lineage import ModelDocuments
from mlops_assets.monitoring.windows import start_of


def first_row(
    tags: Mapping[str, str], project: Project, documents: ModelDocuments, features: pl.LazyFrame
) -> pl.Expr | None:
    """The condition on rows of the feature table, as the monitoring document says; None for all rows.

    Only a run that an alarm requested (according to its `tags`) has a condition.
    """
    if documents.monitoring is None or "mlops/cause" not in tags:
        return None
    retraining, time = documents.monitoring.config.retraining, documents.features.config.timestamp_column
    if retraining.rows == "all":
        return None
    if retraining.rows == "sliding":
        newest = features.select(pl.col(time).max()).collect().item()
        return pl.col(time) > pl.lit(newest - retraining.length)
    start = start_of(tags.get("mlops/since") or tags["mlops/window"], project.timezone).astimezone(UTC)
    aware = getattr(features.collect_schema()[time], "time_zone", None)
    return pl.col(time) >= pl.lit(start if aware else start.replace(tzinfo=None))
