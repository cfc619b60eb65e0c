"""A cache of open Delta tables: each call reads only what the log has gained since the last one.

A cached table is updated to the newest version with every call, so use it immediately: for its version, transactions,
columns and files, and for writes. Rows that are read later are scanned from a separate table (`foreign.opened`), whose
version does not change.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from mlops_assets.lake.foreign import exists, opened, refuse_unreadable

TABLES = 16
VERSIONS = 10  # reads and writes of a table get slower with every incremental update


@dataclass(frozen=True)
class _Kept:
    """An open table, its version, that commit's stamp, the version it was opened at, and transactions read so far."""

    table: DeltaTable
    version: int
    stamp: tuple[int, ...]
    since: int
    recorded: dict[str, int | None] = field(default_factory=dict)


class _Tables(threading.local):
    """One cache per thread, so that no other thread updates a table between a check and a write."""

    def __init__(self) -> None:
        self.kept: OrderedDict[str, _Kept] = OrderedDict()


_tables = _Tables()


def current(path: str) -> DeltaTable | None:
    """The table at its newest version, or None if it does not exist.

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
    """The newest version that the writer `name` recorded in `table`, at the version it is at.

    The log is searched once per name: all of it if the name is not in it.
    """
    kept = _tables.kept.get(path)
    if kept is None or kept.table is not table or kept.version != table.version():
        return table.transaction_version(name)
    if name not in kept.recorded:
        kept.recorded[name] = table.transaction_version(name)
    return kept.recorded[name]


def _moved_on(path: str, kept: _Kept) -> DeltaTable | None:
    """The cached table, updated; None if it must be opened again, or if another table is at the path now."""
    if kept.version - kept.since > VERSIONS or _stamp(path, kept.version) != kept.stamp:
        return None
    if _stamp(path, kept.version + 1) is None:
        return kept.table
    try:
        kept.table.update_incremental()
    except DeltaError:
        # Opening it again either works or raises the real error.
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
    """Distinguishes a commit from another table's of the same version; None if it is missing or not on this machine."""
    if "://" in path:
        return None
    try:
        stat = (Path(path) / "_delta_log" / f"{version:020}.json").stat()
    except FileNotFoundError:
        return None
    return stat.st_ino, stat.st_mtime_ns, stat.st_size
