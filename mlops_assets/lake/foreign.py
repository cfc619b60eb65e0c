"""Opening and reading Delta tables, whoever wrote them: by the path that reads their features, or not at all.

Some readers answer a column-mapped table with nulls and no error; the protocol that the table states decides here.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import polars as pl
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from mlops_assets.lake.errors import LakeError

# Reader features that Polars reads by itself, and those that delta-rs reads for it.
NATIVE = frozenset({"deletionVectors", "timestampNtz", "vacuumProtocolCheck", "variantType", "variantType-preview"})
CLUSTERED = "clustering"  # Databricks' liquid clustering, a feature that a writer must know
THROUGH_DELTA_RS = frozenset({"columnMapping", "v2Checkpoint"})


class _Table(DeltaTable):
    """A table whose files have the names that the file system has for them.

    delta-rs says %20 for a folder's space and %C3%BC for ü, and Polars then finds no file (pola-rs/polars#20944).
    """

    def file_uris(self, *args: Any, **options: Any) -> list[str]:
        """The addresses of the data files."""
        quoted = self.table_uri.removeprefix("file://").rstrip("/")
        found = super().file_uris(*args, **options)
        if "://" in quoted or quoted == unquote(quoted):
            return found
        return [unquote(quoted) + address.removeprefix(quoted) for address in found]


def exists(path: str) -> bool:
    """Whether there is a Delta table at `path`."""
    # delta-rs lists the entire log to find out.
    if "://" not in path and Path(path).is_file():
        return False
    known = (Path(path) / "_delta_log" / name for name in (f"{0:020}.json", "_last_checkpoint"))
    return ("://" not in path and any(file.is_file() for file in known)) or DeltaTable.is_deltatable(path)


def opened(path: str, at: int | None = None) -> DeltaTable:
    """The table at version `at`, or at its newest.

    Raises:
        LakeError: there is none, or it has a feature that cannot be read, by the feature's name.
    """
    try:
        table = _Table(path, version=at)
    except TableNotFoundError as error:
        raise LakeError(f"there is no Delta table at {path}") from error
    except DeltaError as error:
        raise LakeError(f"{path}: this Delta table cannot be read: {_first_line(error)}") from error
    refuse_unreadable(table, path)
    return table


def refuse_unreadable(table: DeltaTable, path: str) -> None:
    """Raise LakeError, naming the features, if the table has some that cannot be read."""
    unknown = features(table) - NATIVE - THROUGH_DELTA_RS
    if unknown:
        raise LakeError(
            f"{path}: the Delta table has the feature {', '.join(sorted(unknown))}, which is not read here; "
            "have its owner drop the feature (ALTER TABLE … DROP FEATURE), or ingest a copy without it"
        )


@contextmanager
def still_there(path: str) -> Iterator[None]:
    """Turn errors about missing data files into a LakeError with the cause and what to do.

    Raises:
        LakeError: data files that the log names no longer exist.
    """
    try:
        yield
    except (FileNotFoundError, pl.exceptions.PolarsError, DeltaError) as error:
        if not isinstance(error, FileNotFoundError) and "not found" not in str(error):
            raise
        raise LakeError(
            f"{path}: data files of versions that were not read yet are gone, as vacuum removes them; read more often "
            "or keep them longer (`retention`, or the owner's delta.deletedFileRetentionDuration), and ingest into a "
            "new destination to begin again with the rows that there are"
        ) from error


def features(table: DeltaTable) -> frozenset[str]:
    """The reader features of the table; those of older protocol versions by their current names."""
    protocol = table.protocol()
    named = set(protocol.reader_features or [])
    if protocol.min_reader_version == 2 or mapped_columns(table):
        named.add("columnMapping")
    return frozenset(named)


def mapped_columns(table: DeltaTable) -> Mapping[str, str]:
    """Column to its name in the data files, where the table maps them; empty where it does not."""
    if table.metadata().configuration.get("delta.columnMapping.mode", "none") == "none":
        return {}
    name = "delta.columnMapping.physicalName"
    return {field.name: str(field.metadata.get(name, field.name)) for field in table.schema().fields}


def table_rows(table: DeltaTable) -> pl.LazyFrame:
    """The rows of an opened table; lazily, unless its features require delta-rs to read it into memory."""
    if features(table) & THROUGH_DELTA_RS:
        return pl.DataFrame(table.scan()).lazy()
    return pl.scan_delta(table)


def refuse_to_write(table: DeltaTable, path: str) -> None:
    """Raise LakeError if writing would damage the table for its other readers."""
    if mapped_columns(table):
        raise LakeError(f"{path}: the table maps its columns (columnMapping), which is read here but never written")
    if CLUSTERED in (table.protocol().writer_features or ()):
        raise LakeError(
            f"{path}: the table is clustered (CLUSTER BY), which delta-rs does not write; "
            "recreate it without that (CREATE OR REPLACE TABLE … AS SELECT), or let Spark do what writes it"
        )


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
