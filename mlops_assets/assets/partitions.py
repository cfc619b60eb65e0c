"""The partitions of a data document as Dagster partitions."""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from mlops_assets.config import DataConfig, Document, Project
from mlops_assets.config.partitions import instant
from mlops_assets.lake.partition import FORMATS


def partitions_of(project: Project, document: Document[DataConfig]) -> dg.PartitionsDefinition[str] | None:
    """The partitions definition of a silver table; None if its document declares no partitions."""
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
    definition: dg.PartitionsDefinition[str] = kinds[parts.type](
        start_date=instant(parts.start or ""), end_date=end, fmt=FORMATS[parts.type], timezone="UTC"
    )
    return definition


def chosen_partitions(context: dg.AssetExecutionContext) -> list[str] | None:
    """The partition keys of the run; None for a run without partitions."""
    chosen = context.has_partition_key or context.has_partition_key_range
    return list(context.partition_keys) if chosen else None


def add_partitions(
    context: dg.AssetExecutionContext, project: Project, document: Document[DataConfig], keys: Sequence[str]
) -> None:
    """Register the dynamic partitions of newly arrived rows with Dagster."""
    parts = document.config.partitions
    if parts and parts.type == "dynamic" and keys:
        context.instance.add_dynamic_partitions(dynamic_name(project, document), list(keys))


def dynamic_name(project: Project, document: Document[DataConfig]) -> str:
    """The name of a table's dynamic partitions in Dagster."""
    return f"{project.name}_{document.name}"
