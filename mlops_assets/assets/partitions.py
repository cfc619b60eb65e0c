"""A data document's partitions as Dagster's."""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from mlops_assets.config import DataConfig, Document, Project
from mlops_assets.config.partitions import instant
from mlops_assets.lake.partition import FORMATS


def partitions_of(project: Project, document: Document[DataConfig]) -> dg.PartitionsDefinition[str] | None:
    """The partitions of the runs of a silver table, or None where its document declares none."""
    parts = document.config.partitions
    if parts is None:
        return None
    if parts.type == "static":
        return dg.StaticPartitionsDefinition(parts.keys)
    if parts.type == "dynamic":
        return dg.DynamicPartitionsDefinition(name=dynamic_name(project, document))
    kinds: dict[str, Any] = {
        "hourly": dg.HourlyPartitionsDefinition,
        "daily": dg.DailyPartitionsDefinition,
        "weekly": dg.WeeklyPartitionsDefinition,
        "monthly": dg.MonthlyPartitionsDefinition,
    }
    end = instant(parts.end) if parts.end else None
    made: dg.PartitionsDefinition[str] = kinds[parts.type](
        start_date=instant(parts.start or ""), end_date=end, fmt=FORMATS[parts.type], timezone="UTC"
    )
    return made


def chosen_partitions(context: dg.AssetExecutionContext) -> list[str] | None:
    """The partitions that a run is of, or None."""
    chosen = context.has_partition_key or context.has_partition_key_range
    return list(context.partition_keys) if chosen else None


def add_partitions(
    context: dg.AssetExecutionContext, project: Project, document: Document[DataConfig], keys: Sequence[str]
) -> None:
    """Tell Dagster of dynamic partitions that rows have arrived for."""
    parts = document.config.partitions
    if parts and parts.type == "dynamic" and keys:
        context.instance.add_dynamic_partitions(dynamic_name(project, document), list(keys))


def dynamic_name(project: Project, document: Document[DataConfig]) -> str:
    """The name under which Dagster keeps a table's dynamic partitions."""
    return f"{project.name}_{document.name}"
