"""Rows on their way into a table, and what stands in their way, in one sentence."""

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
    """The table's path; its folder is there afterwards.

    Raises:
        LakeError: it cannot be made.
    """
    if "://" not in path:
        try:
            Path(path).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LakeError(f"{path}: cannot be written: {error.strerror}") from error
    return path


def stream(frame: pl.DataFrame | pl.LazyFrame, failures: Failures) -> pl.DataFrame | pa.RecordBatchReader:
    """The frame as a writer takes it, a lazy one batch by batch; what goes wrong while it is read is in `failures`."""
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
        # The writer would tell of it in its own words, around this generator's.
        failures.append(error)
        raise


def _gathered(parts: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The engine's morsels put together: a writer takes each batch as a whole, and may store them in any order."""
    held: list[pl.DataFrame] = []
    for part in parts:
        held.append(part)
        if sum(each.height for each in held) >= BATCH:
            yield pl.concat(held, rechunk=True)
            held = []
    if held:
        yield pl.concat(held, rechunk=True)


def _arrow(frame: pl.DataFrame) -> pa.Table:
    return frame.to_arrow(compat_level=pl.CompatLevel.oldest())


@contextmanager
def as_write_error(path: str) -> Iterator[Failures]:
    """Turn what a writer says of disk, rights and types into a LakeError; nothing was committed."""
    failures: Failures = []
    try:
        yield failures
    except CommitFailedError:
        raise
    except SchemaMismatchError as error:
        raise LakeError(f"{path}: the rows do not fit the table's columns: {_said(error)}") from error
    except (DeltaError, OSError) as error:
        if failures:
            raise failures[0] from error
        raise LakeError(f"{path}: cannot be written, and nothing was: {_said(error)}") from error
    except Exception as error:
        # delta-rs has no class of its own for a value that does not fit into its column.
        if type(error) is not Exception:
            raise
        raise LakeError(f"{path}: cannot be written, and nothing was: {_said(error)}") from error


def _said(error: Exception) -> str:
    text = " ".join(str(error).split())
    for known in ("No space left on device", "File too large", "Permission denied", "Read-only file system"):
        if known in text:
            return known
    return text.split(" Detail:")[0]
