"""Maintenance of a Delta table: compaction or Z-order, and removal of files of old versions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import ceil

import polars as pl
from deltalake import CommitProperties, DeltaTable

from mlops_assets.lake.compaction import AUTO
from mlops_assets.lake.delta import required
from mlops_assets.lake.foreign import refuse_to_write
from mlops_assets.lake.streams import as_write_error
from mlops_assets.lake.writing import on_conflict

ORDERED = "zOrderedBy"  # in a commit: the columns that its files were Z-ordered by
WRITES = ("WRITE", "MERGE", "DELETE", "UPDATE", "RESTORE", "CREATE")


@dataclass(frozen=True)
class Size:
    """The number of a table's data files, and their bytes."""

    files: int
    size: int


@dataclass(frozen=True)
class Maintained:
    """What was done to a table: its size before and after, how it was optimized, and how many files were removed."""

    before: Size
    after: Size
    order: str
    removed: int


def size_of(path: str) -> Size:
    """The data files of the newest version, from its log."""
    return _size(required(path))


def _size(table: DeltaTable) -> Size:
    sizes = pl.DataFrame(table.get_add_actions(flatten=True))["size_bytes"]
    return Size(sizes.len(), int(sizes.sum()))


@on_conflict
def maintain(path: str, z_order_by: Sequence[str] = (), retention: timedelta | None = None) -> Maintained:
    """Optimize a table if its rows have changed since the last time, and remove files that no version within
    `retention` needs (None: the table's own setting, or a week).

    Raises:
        LakeError: the table cannot be written, or has no such columns to order by.
    """
    table = required(path)
    refuse_to_write(table, path)
    before = _size(table)
    with as_write_error(path):
        order = _optimized(table, z_order_by)
        hours = None if retention is None else ceil(retention / timedelta(hours=1))
        # A vacuum that is not full leaves files removed before the last checkpoint, and those of killed writers.
        removed = table.vacuum(retention_hours=hours, dry_run=False, enforce_retention_duration=False, full=True)
    return Maintained(before, _size(required(path)), order, len(removed))


def _optimized(table: DeltaTable, z_order_by: Sequence[str]) -> str:
    """Optimize the table if it needs it. Returns what was done."""
    columns = ", ".join(z_order_by)
    if not _changed_since(table, columns):
        return "nothing new"
    if z_order_by:
        ordered = CommitProperties(custom_metadata={ORDERED: columns})
        table.optimize.z_order(list(z_order_by), commit_properties=ordered)
        return f"z-order by {columns}"
    return "compact" if table.optimize.compact()["numFilesRemoved"] else "nothing new"


def _changed_since(table: DeltaTable, columns: str) -> bool:
    """Whether rows were written since the table was last optimized (automatic compaction does not count), or it was
    not ordered by these `columns` then.
    """
    for entry in table.history():
        if AUTO in entry:
            continue
        operation = str(entry.get("operation", ""))
        if operation.startswith("OPTIMIZE"):
            return str(entry.get(ORDERED, "")) != columns
        if operation.startswith(WRITES):
            return True
    return True
