"""Bronze: the source as it arrived, each file or Delta version exactly once.

What was ingested is in the bronze table's own log: `state:<file>` and `content:<file>` transactions for files,
`source` for the version of a Delta table. A kill between two commits leaves whole files in or out.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlops_assets.lake import delta
from mlops_assets.lake.engine import Engine
from mlops_assets.lake.errors import SourceChanged, SourceMissing
from mlops_assets.lake.evolution import left_out
from mlops_assets.lake.sources import SourceFile, source_files

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
    ignored: tuple[str, ...] = field(default=())
    columns_ignored: tuple[str, ...] = ()


def ingest(config: "DataConfig", location: str, table: str, engine: Engine[Any]) -> Ingested:
    """Append what is new at `location` to the bronze `table`: its rows plus `_source_file`, `_ingested_at`, `_row_id`
    (the row's place in its file, from 0).

    Raises:
        SourceMissing: there is nothing at `location`.
        SourceChanged: a file of a known name has other content, and the document says `on_changed_source: fail`.
        LakeError: a file cannot be read.
    """
    if config.format == "delta":
        return _ingest_delta(config, location, table, engine)
    new, known, ignored = _sorted_out(source_files(location, config.format), table, config.on_changed_source)
    done = [_ingest_file(file, config, table, engine) for file in new]
    without = tuple(dict.fromkeys(name for _, names in done for name in names))
    names = tuple(file.name for file in new)
    return Ingested(table, delta.version(table), sum(rows for rows, _ in done), names, known, ignored, without)


def _sorted_out(files: list[SourceFile], table: str, on_changed: str) -> tuple[list[SourceFile], int, tuple[str, ...]]:
    """New files, the number of known ones, and the names of changed ones that are to be ignored."""
    new: list[SourceFile] = []
    changed: list[str] = []
    for file in files:
        if delta.transaction_version(table, f"state:{file.name}") == file.state:
            continue
        content = delta.transaction_version(table, f"content:{file.name}")
        if content is None:
            new.append(file)
        elif content != file.content:
            changed.append(file.name)
    if changed and on_changed == "fail":
        raise SourceChanged(
            f"{', '.join(changed)}: ingested before with other content; say `on_changed_source: ignore` to keep "
            "the rows that are in the table, or give the corrected file another name"
        )
    return new, len(files) - len(new) - len(changed), tuple(changed)


def _ingest_file(
    file: SourceFile, config: "DataConfig", table: str, engine: Engine[Any]
) -> tuple[int, tuple[str, ...]]:
    """Rows that were added, and columns that were left out."""
    known = delta.schema(table) if delta.exists(table) else None
    frame = engine.read_file(file, config, known)
    without = left_out(config, engine.columns(frame), known, str(file.path))
    # The content decides; the state only saves reading the file again to see it.
    names = {f"content:{file.name}": file.content, f"state:{file.name}": file.state}
    rows = engine.stamped(frame, file.name, without)
    return engine.append(table, rows, transactions=names, add_columns=True).inserted, without


def _ingest_delta(config: "DataConfig", location: str, table: str, engine: Engine[Any]) -> Ingested:
    newest = delta.version(location)
    if newest is None:
        raise SourceMissing(f"there is no Delta table at {location}")
    done = delta.transaction_version(table, "source")
    if done is not None and done >= newest:
        return Ingested(table, delta.version(table), known=done + 1)
    known = delta.schema(table) if delta.exists(table) else None
    fresh = engine.appended(location, done, newest)
    without = left_out(config, engine.columns(fresh), known, location)
    rows = engine.stamped(fresh, f"{location}@{newest}", without)
    written = engine.append(table, rows, transactions={"source": newest}, add_columns=True)
    return Ingested(table, written.version, written.inserted, (f"version {newest}",), columns_ignored=without)
