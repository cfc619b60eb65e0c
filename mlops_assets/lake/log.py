"""A Delta table's log, read as the files it is: what commits added and removed, and what writers recorded.

One pass says it all, so that a run's cost does not grow with the number of files or transactions that it asks for.
Works on any path or object-store URL, for tables that either engine wrote.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from mlops_assets.lake.errors import LakeError

_COMMIT = re.compile(r"^(\d{20})\.json$")
_CHECKPOINT = re.compile(r"^(\d{20})\.checkpoint\b.*\.parquet$")


@dataclass(frozen=True)
class Added:
    """A data file that a commit added: its address, its rows where the log counts them, its partition's values."""

    address: str
    rows: int | None
    partition: Mapping[str, str | None]
    masked: bool


@dataclass(frozen=True)
class Commit:
    """What a commit did to the table's rows; rewriting files without changing rows, as optimizing does, is nothing.

    `inserted` are the rows that its writer says it added, or those of the files that it added.
    """

    version: int
    added: tuple[Added, ...]
    removed: int
    inserted: int

    @property
    def appends(self) -> bool:
        """Whether rows were added and none was changed or removed."""
        return not self.removed and not any(file.masked for file in self.added)


def commits(path: str, after: int, until: int) -> list[Commit]:
    """The commits of versions `after` + 1 to `until`, oldest first.

    Raises:
        LakeError: one of them is no longer in the log.
    """
    return [_commit(path, version) for version in range(after + 1, until + 1)]


def recorded(path: str) -> dict[str, int]:
    """The newest version of every writer that recorded one (Delta transaction identifiers)."""
    names = _names(path)
    checkpoints = [(int(found[1]), name) for name in names if (found := _CHECKPOINT.match(name))]
    newest = max((version for version, _ in checkpoints), default=-1)
    known: dict[str, int] = {}
    for name in (name for version, name in checkpoints if version == newest):
        known.update(_of_checkpoint(path, name))
    for version in sorted(int(found[1]) for name in names if (found := _COMMIT.match(name))):
        if version > newest:
            known.update((txn["appId"], txn["version"]) for txn in _actions(path, version, "txn"))
    return known


def _commit(path: str, version: int) -> Commit:
    added, removed, inserted = [], 0, None
    for kind, action in _lines(path, version):
        if kind == "commitInfo":
            inserted = (action.get("operationMetrics") or {}).get("num_added_rows")
        if kind in ("add", "remove") and action.get("dataChange", True):
            removed += kind == "remove"
            if kind == "add":
                added.append(_added(path, action))
    counted = sum(file.rows or 0 for file in added) if inserted is None else int(inserted)
    return Commit(version, tuple(added), removed, counted)


def _added(path: str, action: Mapping[str, Any]) -> Added:
    rows = json.loads(action.get("stats") or "{}").get("numRecords")
    masked = bool(action.get("deletionVector"))
    return Added(address(path, action["path"]), rows, action.get("partitionValues") or {}, masked)


def address(path: str, file: str) -> str:
    """Where a data file of a table is, from its name in the log."""
    from urllib.parse import unquote

    name = unquote(file)
    return name if "://" in name or name.startswith("/") else f"{path.rstrip('/')}/{name}"


def _actions(path: str, version: int, wanted: str) -> Iterator[Mapping[str, Any]]:
    return (action for kind, action in _lines(path, version) if kind == wanted)


def _lines(path: str, version: int) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for line in _read(path, version).splitlines():
        if line.strip():
            yield from json.loads(line).items()


def _read(path: str, version: int) -> str:
    name = f"_delta_log/{version:020}.json"
    try:
        if "://" not in path:
            return (Path(path) / name).read_text()
        with _remote(path).open_input_stream(name) as stream:
            return bytes(stream.readall()).decode()
    except FileNotFoundError as error:
        raise LakeError(
            f"{path}: the log of version {version} is missing, so the changes since are unknown; "
            "keep it longer (`retention`), or ingest into a new destination"
        ) from error


def _names(path: str) -> list[str]:
    if "://" not in path:
        folder = Path(path) / "_delta_log"
        return [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
    from pyarrow.fs import FileSelector

    found = _remote(path).get_file_info(FileSelector("_delta_log", allow_not_found=True))
    return [Path(entry.path).name for entry in found]


def _of_checkpoint(path: str, name: str) -> dict[str, int]:
    file = f"{path.rstrip('/')}/_delta_log/{name}"
    rows = pl.scan_parquet(file).select(pl.col("txn").struct.field("appId", "version")).drop_nulls().collect()
    return dict(rows.iter_rows())


def _remote(path: str) -> Any:
    from deltalake.fs import DeltaStorageHandler
    from pyarrow.fs import PyFileSystem

    return PyFileSystem(DeltaStorageHandler(path, None))
