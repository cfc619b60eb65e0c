"""Reading source files with Polars, unchanged: columns of text formats that the document declares are read as text."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import polars as pl

from mlops_assets.lake.errors import LakeError, nearest
from mlops_assets.lake.fitting import refuse_misfits, refuse_unknown
from mlops_assets.lake.sources import SourceFile

if TYPE_CHECKING:
    from mlops_assets.config import DataConfig

INFERRED = 10_000  # rows of a CSV file from which the types of undeclared columns are inferred


def read_file(file: SourceFile, config: "DataConfig", known: pl.Schema | None, rows: int | None = None) -> pl.DataFrame:
    """One source file's rows, or the first `rows`; meaning and errors as in `scan_file`."""
    with as_read_error(file, config.format):
        frame = scan_file(file, config, known)
        return (frame if rows is None else frame.head(rows)).collect()


def scan_file(file: SourceFile, config: "DataConfig", known: pl.Schema | None) -> pl.LazyFrame:
    """One source file's rows, lazily. Declared columns of a text format are text; undeclared ones take their type in
    the table (`known`), or else the one inferred from their values.

    Raises:
        LakeError: the file cannot be read, lacks a declared column, or has one of another type than the table.
    """
    with as_read_error(file, config.format):
        if file.path.stat().st_size == 0:
            raise LakeError(f"{file.address}: the file is empty; remove it, or write it again")
        frame = _READERS[config.format](file, config, known)
        schema = frame.collect_schema()
        stated = {name: value for name, value in file.folders.items() if name not in schema}
        frame = frame.with_columns(pl.lit(value, pl.String).alias(name) for name, value in stated.items())
        present = [*schema.names(), *stated]
    require_declared(file, config, present)
    refuse_unknown(file.address, schema)
    refuse_misfits(file.address, schema, known or {})
    return frame


def require_declared(file: SourceFile, config: "DataConfig", present: Sequence[str]) -> None:
    """Raise LakeError for the first declared column that is not `present`, with the nearest."""
    for column in config.columns:
        if column not in present:
            hint = nearest(column, present)
            raise LakeError(f"{file.address}: no column '{column}', which the document declares{hint}")


@contextmanager
def as_read_error(file: SourceFile, format: str) -> Iterator[None]:  # noqa: A002 - the documents' own word
    """Turn errors of the reader, when it opens the file or later, into a LakeError that names the file."""
    try:
        yield
    except (pl.exceptions.PolarsError, UnicodeDecodeError, OSError) as error:
        raise LakeError(f"{file.address}: not readable as {format}: {_reason(error, format)}") from error


def _reason(error: Exception, format: str) -> str:  # noqa: A002 - the documents' own word
    text = str(error).strip()
    if "invalid utf-8" in text:
        return "it is not UTF-8; say `reader: {encoding: latin1}` or the encoding that it has"
    parse_error = re.match(r"could not parse `(.*?)` as dtype `(\w+)` at column '(.*?)'", text, re.DOTALL)
    if parse_error:
        value, dtype, column = parse_error[1].splitlines()[0][:40], parse_error[2], parse_error[3]
        if dtype == "str":
            return f"a quote in column '{column}' is not closed, from {value!r} on; see `reader: {{quote_char: …}}`"
        return f"{value!r} in column '{column}' is not of type {dtype}; declare the column as string in `columns`"
    if "more fields than defined" in text:
        return "a line has more values than the header; see `reader: {delimiter: …, quote_char: …}`"
    if format == "parquet" and "specification" in text:
        return "it is truncated or not a Parquet file; copy it again"
    first = text.splitlines()[0] if text else type(error).__name__
    return (
        f"{first}; each line holds one JSON object, in UTF-8 without a byte order mark" if format == "json" else first
    )


def _csv(file: SourceFile, config: "DataConfig", known: pl.Schema | None) -> pl.LazyFrame:
    reader = config.reader
    declared: dict[str, pl.DataType] = {name: pl.String() for name in config.columns if name not in file.folders}
    if not reader.header and not config.columns:
        raise LakeError(f"{file.address}: a file without a header needs the document's `columns`")
    return pl.scan_csv(
        file.path,
        has_header=reader.header,
        new_columns=None if reader.header else list(declared),
        separator=reader.delimiter,
        quote_char=reader.quote_char,
        encoding="utf8-lossy" if reader.encoding == "utf8-lossy" else "utf8",
        null_values=list(reader.null_values),
        schema_overrides=declared | _undeclared(file, known, config) if reader.header else None,
        infer_schema=reader.header,
        infer_schema_length=INFERRED,
    )


def _undeclared(file: SourceFile, known: pl.Schema | None, config: "DataConfig") -> dict[str, pl.DataType]:
    return {
        name: dtype
        for name, dtype in (known or {}).items()
        if not (name in config.columns or name in file.folders or name.startswith("_"))
    }


def _json(file: SourceFile, config: "DataConfig", known: pl.Schema | None) -> pl.LazyFrame:
    inferred = pl.scan_ndjson(file.path, infer_schema_length=None).collect_schema()
    # Older tables have declared columns that are not text: they keep their types.
    typed = [name for name, dtype in (known or {}).items() if dtype != pl.String]
    declared = {name: pl.String() for name in config.columns if name not in typed}
    wanted: dict[str, pl.DataType] = {**_undeclared(file, known, config), **declared}
    return pl.scan_ndjson(file.path, schema={name: wanted.get(name, dtype) for name, dtype in inferred.items()})


def _parquet(file: SourceFile, config: "DataConfig", known: pl.Schema | None) -> pl.LazyFrame:
    return pl.scan_parquet(file.path, hive_partitioning=False)


_READERS = {"csv": _csv, "json": _json, "parquet": _parquet}
