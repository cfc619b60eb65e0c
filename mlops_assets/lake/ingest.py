"""Bronze: the source as it arrived, each file or Delta version exactly once.

What was ingested is in the bronze table's own log: `state:<file>` and `content:<file>` transactions for files,
`source` for the version of a Delta table. A kill between two commits leaves whole files in or out.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl

from mlops_assets.lake import delta
from mlops_assets.lake.errors import SourceChanged, SourceMissing
from mlops_assets.lake.evolution import evolved
from mlops_assets.lake.files import read_file
from mlops_assets.lake.sources import SourceFile, source_files

if TYPE_CHECKING:
    from mlops_assets.config import DataConfig

ADDED_COLUMNS = ("_source_file", "_ingested_at", "_row_id")


def arrived(config: "DataConfig", bronze: pl.DataFrame) -> pl.DataFrame:
    """Bronze rows in the source's columns, and in those of bronze's own that the document keeps, under its names."""
    kept = [pl.col(own).alias(name) for own, name in config.arrival_columns.items()]
    return bronze.with_columns(kept).drop(ADDED_COLUMNS)


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


def ingest(config: "DataConfig", location: str, table: str) -> Ingested:
    """Append what is new at `location` to the bronze `table`: its rows plus `_source_file`, `_ingested_at`, `_row_id`
    (the row's place in its file, from 0).

    Raises:
        SourceMissing: there is nothing at `location`.
        SourceChanged: a file of a known name has other content, and the document says `on_changed_source: fail`.
        LakeError: a file cannot be read.
    """
    if config.format == "delta":
        return _ingest_delta(config, location, table)
    new, known, ignored = _sorted_out(source_files(location, config.format), table, config.on_changed_source)
    done = [_ingest_file(file, config, table) for file in new]
    left_out = tuple(dict.fromkeys(name for _, names in done for name in names))
    names = tuple(file.name for file in new)
    return Ingested(table, delta.version(table), sum(rows for rows, _ in done), names, known, ignored, left_out)


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


def _ingest_file(file: SourceFile, config: "DataConfig", table: str) -> tuple[int, tuple[str, ...]]:
    """Rows that were added, and columns that were left out."""
    known = delta.schema(table) if delta.exists(table) else None
    frame, left_out = evolved(config, read_file(file, config, known), known, str(file.path))
    names = {f"state:{file.name}": file.state, f"content:{file.name}": file.content}
    delta.append(table, _stamped(frame, file.name), transactions=names, add_columns=True)
    return frame.height, left_out


def _stamped(frame: pl.DataFrame, source: str) -> pl.DataFrame:
    return frame.with_columns(
        pl.lit(source).alias("_source_file"),
        pl.lit(datetime.now(UTC)).dt.cast_time_unit("us").alias("_ingested_at"),
        pl.int_range(pl.len(), dtype=pl.Int64).alias("_row_id"),
    )


def _ingest_delta(config: "DataConfig", location: str, table: str) -> Ingested:
    newest = delta.version(location)
    if newest is None:
        raise SourceMissing(f"there is no Delta table at {location}")
    done = delta.transaction_version(table, "source")
    if done is not None and done >= newest:
        return Ingested(table, delta.version(table), known=done + 1)
    known = delta.schema(table) if delta.exists(table) else None
    fresh, left_out = evolved(config, delta.appended(location, done, newest), known, location)
    name = f"version {newest}"
    delta.append(table, _stamped(fresh, f"{location}@{newest}"), transactions={"source": newest}, add_columns=True)
    return Ingested(table, delta.version(table), fresh.height, (name,), columns_ignored=left_out)
