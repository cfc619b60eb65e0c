"""`<project>_maintenance`: optimizes, orders and vacuums a project's Delta tables."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import dagster as dg

from mlops_assets.assets.errors import as_failure
from mlops_assets.assets.keys import project_pool, table_key
from mlops_assets.config import Project
from mlops_assets.lake import delta
from mlops_assets.lake.locations import Warehouse
from mlops_assets.lake.maintenance import Maintained, maintain
from mlops_assets.steps.tables import tables_of

Table = tuple[dg.AssetKey | None, str, list[str], timedelta | None]


def maintenance_job(project: Project, tags: Mapping[str, str]) -> dg.JobDefinition | None:
    """The maintenance job, whose runs get `tags`; None for a project without tables."""
    if not project.data and not project.features:
        return None

    @dg.op(
        # Op names must be unique across all projects.
        name=f"{project.name}_maintain",
        out=dg.Out(dg.Nothing),
        pool=project_pool(project),
        description="Compacts small files, in Z-order if the document asks for it; removes files of old versions.",
    )
    def maintained(
        context: dg.OpExecutionContext, lake: dg.ResourceParam[Warehouse]
    ) -> Iterator[dg.AssetObservation | dg.Output[None]]:
        for key, path, z_order_by, retention in _tables(project, lake):
            if delta.exists(path):
                with as_failure():
                    report = maintain(path, z_order_by, retention)
                context.log.info("%s: %s, %s files removed", path, report.order, report.removed)
                if key:
                    yield dg.AssetObservation(
                        key, description=f"Maintenance of {path}.", metadata=_metadata(path, report)
                    )
        yield dg.Output(None)

    @dg.job(
        name=f"{project.name}_maintenance",
        description="Optimizes, Z-orders and vacuums the project's Delta tables.",
        tags=tags,
        executor_def=dg.in_process_executor,
    )
    def job() -> None:
        maintained()

    return job


def _tables(project: Project, lake: Warehouse) -> Iterator[Table]:
    """Of each table: its asset key (None if no asset makes it), path, Z-order columns and retention."""
    for data in project.data:
        tables, config = tables_of(lake, project, data.name), data.config
        silver = table_key(project, "silver", data.name)
        yield table_key(project, "bronze", data.name), tables.bronze, [], config.retention
        yield silver, tables.silver, config.z_order_by, config.retention
        yield silver, tables.quarantine, [], config.retention
    for features in project.features:
        yield table_key(project, "gold", features.name), lake.table(project.name, "gold", features.name), [], None
    yield table_key(project, "gold", "predictions"), lake.table(project.name, "gold", "predictions"), [], None
    # Written by the gateway, which adds a file every few seconds of traffic, not by an asset.
    yield None, lake.table(project.name, "monitoring", "inference_log"), [], None


def _metadata(path: str, report: Maintained) -> dict[str, Any]:
    return {
        "dagster/uri": path,
        "order": report.order,
        "files_before": report.before.files,
        "files": report.after.files,
        "bytes_before": report.before.size,
        "bytes": report.after.size,
        "old_files_removed": report.removed,
    }
