"""Bronze: the source as it arrived, each file or Delta version exactly once.

What was ingested is in the bronze table's own log: `state:<file>` and `content:<file>` transactions for files,
`source` for the version of a Delta table. A kill between two commits leaves whole files in or out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops_assets.lake import delta, log
from mlops_assets.lake.engine import Engine
from mlops_assets.lake.errors import LakeError, Overtaken, SourceChanged, SourceMissing
from mlops_assets.lake.evolution import left_out
from mlops_assets.lake.files import told
from mlops_assets.lake.fingerprints import next_number, says
from mlops_assets.lake.foreign import opened, still_there
from mlops_assets.lake.sources import SourceFile, source_files
from mlops_assets.lake.stretches import PARTITION
from mlops_assets.lake.writing import quoted

if TYPE_CHECKING:
    from mlops_assets.config import DataConfig


@dataclass(frozen=True)
class Ingested:
    """What one run brought into a bronze table; `columns_ignored` are those that `schema_evolution` left out."""

    table: str
    version: int | None
    rows: int = 0
    files: tuple[str, ...] = ()
    known: int = 0
    ignored: tuple[str, ...] = ()
    columns_ignored: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()


@dataclass(frozen=True)
class Target:
    """The bronze table that a run writes, with what, and what its log says was ingested."""

    config: "DataConfig"
    table: str
    engine: Engine[Any]
    recorded: Mapping[str, int]


def ingest(config: "DataConfig", location: str, table: str, engine: Engine[Any]) -> Ingested:
    """Append what is new at `location` to the bronze `table`: its rows plus `_source_file`, `_ingested_at`, `_row_id`
    (the row's place in its file, from 0), and `_partition` where runs have partitions.

    Raises:
        SourceMissing: there is nothing at `location`.
        SourceChanged: a file of a known name has other content, and the document says `on_changed_source: fail`.
        LakeError: a file cannot be read.
    """
    target = Target(config, table, engine, log.recorded(table))
    if config.format == "delta":
        return _ingest_delta(target, location)
    files = source_files(location, config.format)
    new, changed = _sorted_out(files, target.recorded)
    if changed and config.on_changed_source == "fail":
        raise SourceChanged(
            f"{', '.join(file.name for file in changed)}: ingested before with other content; say `on_changed_source: "
            "replace` to take the corrected rows, `ignore` to keep those that are in the table, or give the file "
            "another name"
        )
    replaced = changed if config.on_changed_source == "replace" else []
    done = {file.name: _ingest_file(file, target, replace=file in replaced) for file in [*new, *replaced]}
    brought = {name: each for name, each in done.items() if each is not None}
    return Ingested(
        table,
        delta.version(table),
        rows=sum(rows for rows, _ in brought.values()),
        files=tuple(brought),
        known=len(files) - len(brought) - (len(changed) - len(replaced)),
        ignored=tuple(file.name for file in changed if file not in replaced),
        columns_ignored=tuple(dict.fromkeys(name for _, names in brought.values() for name in names)),
        replaced=tuple(file.name for file in replaced if file.name in brought),
    )


def _sorted_out(files: list[SourceFile], recorded: Mapping[str, int]) -> tuple[list[SourceFile], list[SourceFile]]:
    """New files, and those of a known name with other content."""
    new: list[SourceFile] = []
    changed: list[SourceFile] = []
    for file in files:
        if says(recorded.get(f"state:{file.name}"), file.state):
            continue
        content = recorded.get(f"content:{file.name}")
        if content is None:
            new.append(file)
        elif not says(content, file.content()):
            changed.append(file)
    return new, changed


def _ingest_file(file: SourceFile, target: Target, *, replace: bool) -> tuple[int, tuple[str, ...]] | None:
    """Rows that were added, and columns that were left out; None where another run was faster."""
    config, table, engine = target.config, target.table, target.engine
    known = delta.schema(table) if delta.exists(table) else None
    with file.fetched() as fetched, fetched.as_utf8(config.reader.encoding) as local, told(file, config.format):
        # The content decides; the state only saves reading the file again to see it.
        content = f"content:{file.name}"
        found = {content: fetched.content(), f"state:{file.name}": file.state}
        numbers = {name: next_number(name, target.recorded.get(name), each) for name, each in found.items()}
        frame = engine.read_file(local, config, known)
        without = left_out(config, engine.columns(frame), known, file.address)
        commit = _commit(target, numbers)
        rows = _stamped(target, frame, file.name, without)
        try:
            if replace:
                where = f"_source_file = {quoted(file.name)}"
                return engine.overwrite(table, rows, where=where, **commit).inserted, without
            return engine.append(table, rows, add_columns=True, **commit).inserted, without
        except Overtaken:
            if not says(log.recorded(table).get(content), found[content]):
                raise
            return None


def _stamped(target: Target, frame: Any, source: str, without: tuple[str, ...]) -> Any:
    rows = target.engine.stamped(frame, source, without)
    return target.engine.parted(target.config, rows) if target.config.partitions else rows


def _commit(target: Target, numbers: Mapping[str, int]) -> delta.Commit:
    """What the table records, where it still says what this run has seen there."""
    return {
        "transactions": numbers,
        "seen": {name: target.recorded.get(name) for name in list(numbers)[:1]},
        "partition_by": [PARTITION] if target.config.partitions else [],
    }


def _ingest_delta(target: Target, location: str) -> Ingested:
    newest = _source_version(target.config, location)
    done = target.recorded.get("source")
    if done is not None and done >= newest:
        return Ingested(target.table, delta.version(target.table), known=done + 1)
    changed = _changed_versions(location, done, newest)
    if changed and target.config.on_changed_source == "ignore":
        return _ingest_versions(target, location, done, newest, changed)
    replace = bool(changed) and target.config.on_changed_source == "replace"
    return _ingest_range(target, location, None if replace else done, newest, replace=replace)


def _source_version(config: "DataConfig", location: str) -> int:
    """The version of the source to come to."""
    newest = delta.version(location)
    if newest is None:
        raise SourceMissing(f"there is no Delta table at {location}")
    wanted = config.source_version
    if wanted is not None and wanted > newest:
        raise LakeError(f"{location}: there is no version {wanted}; the newest is {newest}")
    return newest if wanted is None else wanted


def _changed_versions(location: str, done: int | None, newest: int) -> list[int]:
    """The versions that changed or removed rows since version `done`."""
    if done is None:
        return []
    return [commit.version for commit in log.commits(location, done, newest) if not commit.appends]


def _ingest_range(target: Target, location: str, after: int | None, until: int, *, replace: bool = False) -> Ingested:
    """Rows that a source gained up to a version; with `replace`, all its rows in the place of those before."""
    config, table, engine = target.config, target.table, target.engine
    known = delta.schema(table) if delta.exists(table) else None
    fresh = engine.appended(location, after, until)
    without = left_out(config, engine.columns(fresh), known, location)
    rows = _stamped(target, fresh, f"{location}@{until}", without)
    commit = _commit(target, {"source": until})
    name = f"version {until}"
    with still_there(location):
        if replace:
            written = engine.overwrite(table, rows, where=f"_source_file LIKE {quoted(location + '@%')}", **commit)
        else:
            written = engine.append(table, rows, add_columns=True, **commit)
    replaced = (name,) if replace else ()
    return Ingested(table, written.version, written.inserted, (name,), columns_ignored=without, replaced=replaced)


def _ingest_versions(target: Target, location: str, done: int | None, newest: int, changed: list[int]) -> Ingested:
    """What versions that only added rows have added; the changes of the others stay out."""
    rows, last = 0, done
    files: list[str] = []
    for version in range((done or 0) + 1, newest + 1):
        if version not in changed:
            recorded = {**target.recorded, **({} if last is None else {"source": last})}
            part = _ingest_range(
                Target(target.config, target.table, target.engine, recorded), location, version - 1, version
            )
            rows, files, last = rows + part.rows, [*files, *part.files], version
    names = tuple(f"version {version}" for version in changed)
    return Ingested(target.table, delta.version(target.table), rows, tuple(files), ignored=names)


def partitions_of(table: str, after: int | None, until: int | None) -> list[str]:
    """The partitions that bronze gained rows of between two versions (None: from the beginning)."""
    if until is None or until == after:
        return []
    if after is None:
        found = opened(table, until).partitions()
        return sorted({str(each[PARTITION]) for each in found if each.get(PARTITION)})
    added = [file for commit in log.commits(table, after, until) for file in commit.added]
    return sorted({value for file in added if (value := file.partition.get(PARTITION))})
