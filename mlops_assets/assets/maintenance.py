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
    """The job, whose runs have `tags`, or None for a project without tables."""
    if not project.data and not project.features:
        return None

    @dg.op(
        # Of all projects together, no two ops may have one name.
        name=f"{project.name}_maintain",
        out=dg.Out(dg.Nothing),
        pool=project_pool(project),
        description="Puts small files together, in Z-order where the document says so; removes old versions' files.",
    )
    def maintained(
        context: dg.OpExecutionContext, lake: dg.ResourceParam[Warehouse]
    ) -> Iterator[dg.AssetObservation | dg.Output[None]]:
        for key, path, z_order_by, retention in _tables(project, lake):
            if delta.exists(path):
                with as_failure():
                    done = maintain(path, z_order_by, retention)
                context.log.info("%s: %s, %s files removed", path, done.order, done.removed)
                if key:
                    yield dg.AssetObservation(
                        key, description=f"Maintenance of {path}.", metadata=_metadata(path, done)
                    )
        yield dg.Output(None)

    @dg.job(
        name=f"{project.name}_maintenance",
        description="Takes care of the project's Delta tables: optimize, Z-order, vacuum.",
        tags=tags,
        executor_def=dg.in_process_executor,
    )
    def job() -> None:
        maintained()

    return job


def _tables(project: Project, lake: Warehouse) -> Iterator[Table]:
    """Each table's asset, if there is one, path, columns to order by and retention."""
    for data in project.data:
        tables, config = tables_of(lake, project, data.name), data.config
        silver = table_key(project, "silver", data.name)
        yield table_key(project, "bronze", data.name), tables.bronze, [], config.retention
        yield silver, tables.silver, config.z_order_by, config.retention
        yield silver, tables.quarantine, [], config.retention
    for features in project.features:
        yield table_key(project, "gold", features.name), lake.table(project.name, "gold", features.name), [], None
    yield table_key(project, "gold", "predictions"), lake.table(project.name, "gold", "predictions"), [], None
    # The gateway adds a file every few seconds of traffic; no asset makes it.
    yield None, lake.table(project.name, "monitoring", "inference_log"), [], None


def _metadata(path: str, done: Maintained) -> dict[str, Any]:
    return {
        "dagster/uri": path,
        "order": done.order,
        "files_before": done.before.files,
        "files": done.after.files,
        "bytes_before": done.before.size,
        "bytes": done.after.size,
        "old_files_removed": done.removed,
    }
