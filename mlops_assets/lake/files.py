"""Reading source files with Polars, as they are: text stays text where the document declares what it should be."""

from typing import TYPE_CHECKING

import polars as pl

from mlops_assets.lake.errors import LakeError, nearest
from mlops_assets.lake.sources import SourceFile

if TYPE_CHECKING:
    from mlops_assets.config import DataConfig

INFERRED = 10_000  # rows of a CSV file that say what its undeclared columns are


def read_file(file: SourceFile, config: "DataConfig", known: pl.Schema | None, rows: int | None = None) -> pl.DataFrame:
    """One source file's rows, or the first `rows` of a CSV file. Declared columns of a text format are text;
    undeclared ones take the type that the table has (`known`), or else the one that their values suggest.

    Raises:
        LakeError: the file cannot be read, or lacks a declared column.
    """
    try:
        frame = _READERS[config.format](file, config, known, rows)
    except (pl.exceptions.PolarsError, UnicodeDecodeError, OSError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise LakeError(f"{file.path}: not readable as {config.format}: {first}") from error
    for column in config.columns:
        if column not in frame.columns:
            raise LakeError(
                f"{file.path}: no column '{column}', which the document declares{nearest(column, frame.columns)}"
            )
    return frame


def _csv(file: SourceFile, config: "DataConfig", known: pl.Schema | None, rows: int | None) -> pl.DataFrame:
    reader = config.reader
    types = dict.fromkeys(config.columns, pl.String) | _undeclared(known, config)
    if not reader.header and not config.columns:
        raise LakeError(f"{file.path}: a file without a header needs the document's `columns`")
    return pl.read_csv(
        _text(file, reader.encoding),
        has_header=reader.header,
        new_columns=None if reader.header else list(config.columns),
        separator=reader.delimiter,
        quote_char=reader.quote_char,
        null_values=list(reader.null_values),
        schema_overrides=types if reader.header else None,
        infer_schema=reader.header,
        infer_schema_length=INFERRED,
        n_rows=rows,
        missing_columns="raise",
    )


def _undeclared(known: pl.Schema | None, config: "DataConfig") -> dict[str, pl.DataType]:
    return {
        name: dtype for name, dtype in (known or {}).items() if name not in config.columns and not name.startswith("_")
    }


def _text(file: SourceFile, encoding: str) -> bytes:
    """The file as UTF-8; a byte that the declared encoding does not know is an error, never a replacement sign."""
    data = file.path.read_bytes()
    return data.decode(encoding).encode() if encoding.lower().replace("-", "") != "utf8" else _checked(data)


def _checked(data: bytes) -> bytes:
    data.decode()
    return data


def _json(file: SourceFile, config: "DataConfig", known: pl.Schema | None, rows: int | None) -> pl.DataFrame:
    return pl.read_ndjson(file.path, schema_overrides=_undeclared(known, config), infer_schema_length=None)


def _parquet(file: SourceFile, config: "DataConfig", known: pl.Schema | None, rows: int | None) -> pl.DataFrame:
    return pl.read_parquet(file.path)


_READERS = {"csv": _csv, "json": _json, "parquet": _parquet}
