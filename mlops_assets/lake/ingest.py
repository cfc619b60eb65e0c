"""Bronze: the source as it arrived, each file or Delta version exactly once.

What was ingested is in the bronze table's own log: `state:<file>` and `content:<file>` transactions for files,
`source` for the version of a Delta table. A kill between two commits leaves whole files in or out.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlops_assets.lake import delta, log
from mlops_assets.lake.delta_source import ingest_delta
from mlops_assets.lake.engine import Engine
from mlops_assets.lake.errors import Overtaken, SourceChanged
from mlops_assets.lake.files import as_read_error
from mlops_assets.lake.fingerprints import next_number, says
from mlops_assets.lake.foreign import opened
from mlops_assets.lake.sources import SourceFile, source_files
from mlops_assets.lake.sql import quoted
from mlops_assets.lake.stretches import PARTITION
from mlops_assets.lake.target import Ingested, Target

if TYPE_CHECKING:
    from mlops_assets.config import DataConfig


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
        return ingest_delta(target, location)
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
    with (
        file.fetched() as fetched,
        fetched.as_utf8(config.reader.encoding) as local,
        as_read_error(file, config.format),
    ):
        # The content decides; the state only saves reading the file again to see it.
        content = f"content:{file.name}"
        found = {content: fetched.content(), f"state:{file.name}": file.state}
        numbers = {name: next_number(name, target.recorded.get(name), each) for name, each in found.items()}
        frame = engine.read_file(local, config, known)
        without = target.left_out(frame, file.address)
        commit = target.commit(numbers)
        rows = target.stamped(frame, file.name, without)
        try:
            if replace:
                where = f"_source_file = {quoted(file.name)}"
                return engine.overwrite(table, rows, where=where, **commit).inserted, without
            return engine.append(table, rows, add_columns=True, **commit).inserted, without
        except Overtaken:
            if not says(log.recorded(table).get(content), found[content]):
                raise
            return None


def partitions_of(table: str, after: int | None, until: int | None) -> list[str]:
    """The partitions that bronze gained rows of between two versions (None: from the beginning)."""
    if until is None or until == after:
        return []
    if after is None:
        found = opened(table, until).partitions()
        return sorted({str(each[PARTITION]) for each in found if each.get(PARTITION)})
    added = [file for commit in log.commits(table, after, until) for file in commit.added]
    return sorted({value for file in added if (value := file.partition.get(PARTITION))})
