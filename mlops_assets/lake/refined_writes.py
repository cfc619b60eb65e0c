"""The two commits of a run's rows: the quarantine first, then silver, each with how far in bronze it has come."""

from typing import TYPE_CHECKING, Any

from mlops_assets.lake import delta
from mlops_assets.lake.batch import Batch
from mlops_assets.lake.errors import Overtaken
from mlops_assets.lake.identity import made_from
from mlops_assets.lake.rowcount import RowCount
from mlops_assets.lake.silver import correct_silver, quarantine_properties, write_silver
from mlops_assets.lake.stretches import Stretch, seen
from mlops_assets.lake.writing import quoted

if TYPE_CHECKING:
    from mlops_assets.lake.refine import Work


def write(work: "Work", stretch: Stretch, batch: Batch[Any]) -> None:
    """Both commits.

    Raises:
        Overtaken: another run has written what these rows are about to.
        LakeError: silver has a column as a type that would not keep its values.
    """
    if work.config.mode != "overwrite":
        work.engine.fitting(work.tables.silver, batch.good)
    quarantined = _write_quarantine(work, stretch, batch)
    try:
        write_good(work, stretch, batch, quarantined)
    except Overtaken:
        # The other run has written the good rows, and not these.
        work.committed.append(RowCount(quarantined, quarantined=quarantined))
        raise


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
