"""Delta tables as they are now, kept open: who asks again reads what the log has gained since, and not all of it.

A table that is kept moves on to newer versions with every call. It answers what is asked of it at once (version,
transactions, columns, files), and is written through. Rows that are read later are scanned from a table of their own
(`foreign.opened`), whose version stays.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from mlops_assets.lake.foreign import exists, opened, refuse_unreadable

TABLES = 16
VERSIONS = 10  # a table that has moved on for longer answers and writes ever more slowly


@dataclass(frozen=True)
class _Kept:
    """A table, the commit that it was last seen at, the version that it was opened at, and what was recorded there."""

    table: DeltaTable
    version: int
    stamp: tuple[int, ...]
    since: int
    recorded: dict[str, int | None] = field(default_factory=dict)


class _Tables(threading.local):
    """By thread: no other moves a table on between what was asked of it and what is written."""

    def __init__(self) -> None:
        self.kept: OrderedDict[str, _Kept] = OrderedDict()


_tables = _Tables()


def current(path: str) -> DeltaTable | None:
    """The table as it is now, or None where there is none.

    Raises:
        LakeError: it has a feature that cannot be read, by the feature's name.
    """
    kept = _tables.kept.pop(path, None)
    table = _moved_on(path, kept) if kept else None
    if kept and table and table.version() == kept.version:
        _tables.kept[path] = kept
        return table
    if kept and table:
        return _keep(path, table, kept.since)
    return _keep(path, opened(path)) if exists(path) else None


def recorded(path: str, table: DeltaTable, name: str) -> int | None:
    """The newest version that the writer `name` recorded in `table`, as it is; a log is searched once for each name,
    the whole of it where the name is not there.
    """
    kept = _tables.kept.get(path)
    if kept is None or kept.table is not table or kept.version != table.version():
        return table.transaction_version(name)
    if name not in kept.recorded:
        kept.recorded[name] = table.transaction_version(name)
    return kept.recorded[name]


def _moved_on(path: str, kept: _Kept) -> DeltaTable | None:
    """The table that was kept, brought up to date; None where it is to be opened, or another is at the path by now."""
    if kept.version - kept.since > VERSIONS or _stamp(path, kept.version) != kept.stamp:
        return None
    if _stamp(path, kept.version + 1) is None:
        return kept.table
    try:
        kept.table.update_incremental()
    except DeltaError:
        # Opening it from the beginning says what is wrong, or finds that nothing is.
        return None
    refuse_unreadable(kept.table, path)
    return kept.table


def _keep(path: str, table: DeltaTable, since: int | None = None) -> DeltaTable:
    version = table.version()
    stamp = _stamp(path, version)
    if stamp is not None:
        _tables.kept[path] = _Kept(table, version, stamp, version if since is None else since)
        while len(_tables.kept) > TABLES:
            _tables.kept.popitem(last=False)
    return table


def _stamp(path: str, version: int) -> tuple[int, ...] | None:
    """What tells a commit from another table's of the same number; None where it is gone, or not on this machine."""
    if "://" in path:
        return None
    try:
        stat = (Path(path) / "_delta_log" / f"{version:020}.json").stat()
    except FileNotFoundError:
        return None
    return stat.st_ino, stat.st_mtime_ns, stat.st_size
