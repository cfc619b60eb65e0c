"""Frames as streams of Arrow batches for a writer, and write failures as a LakeError of one sentence."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pyarrow as pa
from deltalake.exceptions import CommitFailedError, DeltaError, SchemaMismatchError

from mlops_assets.lake.errors import LakeError
from mlops_assets.lake.storable import normalised

BATCH = 250_000
Failures = list[Exception]


def folder(path: str) -> str:
    """The table's path, after creating its folder.

    Raises:
        LakeError: the folder cannot be created.
    """
    if "://" not in path:
        try:
            Path(path).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LakeError(f"{path}: cannot be written: {error.strerror}") from error
    return path


def stream(frame: pl.DataFrame | pl.LazyFrame, failures: Failures) -> pl.DataFrame | pa.RecordBatchReader:
    """The frame as a writer takes it, a lazy one batch by batch; errors while reading it are added to `failures`."""
    if isinstance(frame, pl.DataFrame):
        return normalised(frame)
    return pa.RecordBatchReader.from_batches(arrow_schema(frame), _batches(normalised(frame), failures))


def arrow_schema(frame: pl.DataFrame | pl.LazyFrame) -> pa.Schema:
    """The columns as a table stores them."""
    return _arrow(pl.DataFrame(schema=normalised(frame.lazy()).collect_schema())).schema


def _batches(rows: pl.LazyFrame, failures: Failures) -> Iterator[pa.RecordBatch]:
    try:
        for batch in _gathered(rows.collect_batches(chunk_size=BATCH, maintain_order=True)):
            yield from _arrow(batch).to_batches()
    except (pl.exceptions.PolarsError, OSError) as error:
        # The writer would wrap this error in its own message.
        failures.append(error)
        raise


def _gathered(parts: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The engine's morsels concatenated into batches: a writer keeps each batch together, and may reorder batches."""
    pending: list[pl.DataFrame] = []
    for part in parts:
        pending.append(part)
        if sum(each.height for each in pending) >= BATCH:
            yield pl.concat(pending, rechunk=True)
            pending = []
    if pending:
        yield pl.concat(pending, rechunk=True)


def _arrow(frame: pl.DataFrame) -> pa.Table:
    return frame.to_arrow(compat_level=pl.CompatLevel.oldest())


@contextmanager
def as_write_error(path: str) -> Iterator[Failures]:
    """Turn a writer's errors about disk, permissions and types into a LakeError; nothing was committed."""
    failures: Failures = []
    try:
        yield failures
    except CommitFailedError:
        raise
    except SchemaMismatchError as error:
        raise LakeError(f"{path}: the rows do not fit the table's columns: {_short_message(error)}") from error
    except (DeltaError, OSError) as error:
        if failures:
            raise failures[0] from error
        raise LakeError(f"{path}: cannot be written, and nothing was: {_short_message(error)}") from error
    except Exception as error:
        # delta-rs raises a plain Exception for a value that does not fit its column.
        if type(error) is not Exception:
            raise
        raise LakeError(f"{path}: cannot be written, and nothing was: {_short_message(error)}") from error


def _short_message(error: Exception) -> str:
    text = " ".join(str(error).split())
    for known in ("No space left on device", "File too large", "Permission denied", "Read-only file system"):
        if known in text:
            return known
    return text.split(" Detail:")[0]
