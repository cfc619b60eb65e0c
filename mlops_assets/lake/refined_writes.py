"""The two commits of a run's rows: the quarantine first, then silver, each with how far in bronze it has come."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlops_assets.config.data import HISTORY
from mlops_assets.lake import delta
from mlops_assets.lake.batch import Batch
from mlops_assets.lake.errors import LakeError, Overtaken, nearest
from mlops_assets.lake.identity import made_from
from mlops_assets.lake.rowcount import RowCount
from mlops_assets.lake.silver import correct_silver, quarantine_properties, write_silver
from mlops_assets.lake.sql import quoted
from mlops_assets.lake.stretches import Stretch, seen

if TYPE_CHECKING:
    from mlops_assets.config import DataConfig
    from mlops_assets.lake.refine import Work


def write(work: "Work", stretch: Stretch, batch: Batch[Any]) -> None:
    """Both commits.

    Raises:
        Overtaken: another run has written what these rows are about to.
        LakeError: silver has a column as a type that would not keep its values, or the rows lack one that the document
            names.
    """
    require_named(work.config, work.engine.columns(batch.good), work.engine.columns(batch.bad))
    if work.config.mode != "overwrite":
        work.engine.fitting(work.tables.silver, batch.good)
    quarantined = _write_quarantine(work, stretch, batch)
    try:
        write_good(work, stretch, batch, quarantined)
    except Overtaken:
        # The other run has written the good rows, and not these.
        work.committed.append(RowCount(quarantined, quarantined=quarantined))
        raise


def require_named(config: "DataConfig", good: Sequence[str], arrived: Sequence[str]) -> None:
    """Raise LakeError for the first field that names a column which the rows do not have.

    A document that declares its columns is asked the same as it loads. What is sensitive may have been dropped, or
    be still to come where new columns are taken in.
    """
    history = HISTORY if config.mode == "scd2" else ()
    fields: dict[str, tuple[Sequence[str], Sequence[str]]] = {
        "sequence_by": ([config.sequence] if config.sequence else [], good),
        "partitioning_columns": (config.partitioning_columns, [*good, *history]),
        "z_order_by": (config.z_order_by, [*good, *history]),
        "sensitive_columns": (() if config.schema_evolution == "add" else config.sensitive_columns, [*good, *arrived]),
    }
    for field, (names, present) in fields.items():
        missing = next((name for name in names if name not in present), None)
        if missing:
            shown = [name for name in present if not name.startswith("_")]
            raise LakeError(f"{field}: no column '{missing}'{nearest(missing, shown)} (columns: {', '.join(shown)})")


def write_good(work: "Work", stretch: Stretch, batch: Batch[Any], quarantined: int) -> None:
    """Silver's commit; the rows are counted by what the tables' logs say."""
    written, removed = _write_silver(work, stretch, batch.good)
    removed = {name: count for name, count in {**batch.removed, **removed}.items() if count}
    rows = RowCount(batch.read, written, quarantined, batch.added, removed)
    rows.check()
    work.committed.append(rows)


def _write_quarantine(work: "Work", stretch: Stretch, batch: Batch[Any]) -> int:
    name, path = work.scope.name, work.tables.quarantine
    commit: delta.Commit = {
        "transactions": {**stretch.end.recorded(name), **made_from(path, work.tables.bronze)},
        "seen": seen(path, stretch.start, name),
        "properties": quarantine_properties(work.config),
    }
    files = work.engine.corrected(work.tables.bronze, stretch) if stretch.corrects else ()
    if files and delta.exists(path):
        where = f"_source_file IN ({', '.join(map(quoted, files))})"
        return work.engine.overwrite(path, batch.bad, where=where, **commit).inserted
    return work.engine.append(path, batch.bad, add_columns=True, **commit).inserted


def _write_silver(work: "Work", stretch: Stretch, good: Any) -> tuple[int, dict[str, int]]:
    tables = work.tables
    commit: delta.Commit = {
        "transactions": {**stretch.end.recorded(work.scope.name), **made_from(tables.silver, tables.bronze)},
        "seen": seen(tables.silver, stretch.start, work.scope.name),
    }
    if stretch.corrects:
        paths = (tables.bronze, tables.silver, tables.quarantine)
        return correct_silver(work.config, paths, stretch, good, commit, work.engine)
    return write_silver(work.config, tables.silver, good, commit, work.engine)
