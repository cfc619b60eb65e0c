"""A data file or table as it would be ingested: its format, how it is read, and its columns in the documents' types."""

import csv
import gzip
import re
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from mlops_assets.lake import delta
from mlops_assets.lake.errors import LakeError
from mlops_assets.lake.sources import EXTENSIONS, PACKED, SourceFile, local_file, source_files
from mlops_assets.lake.types import COLUMN_TYPES, cast
from mlops_assets.scaffold.errors import ScaffoldError

NULLS = ("NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "?")
DATE_FORMATS = ("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d")
DATETIME_FORMATS = ("%d.%m.%Y %H:%M", "%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M", "%Y/%m/%d %H:%M")
DELIMITERS = ",;\t|"
SNIFFED = 1 << 16
_SAID = {
    "more fields than defined": "a line has more values than the header names; texts with the delimiter need quotes",
    "could not parse": "a quote is not closed",
}


@dataclass(frozen=True)
class Table:
    """The rows at `path` (a file, a folder of files or a Delta table) in the documents' types.

    `columns` is the declared schema, `reader` what differs from the reader's defaults, `left_out` why other columns are
    not declared.
    """

    path: Path
    format: str
    frame: pl.DataFrame
    columns: dict[str, str]
    reader: dict[str, Any] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()


def read_table(path: Path) -> Table:
    """Read all rows. Raises ScaffoldError where nothing is there, or nothing that a document can read."""
    if not path.exists():
        raise ScaffoldError(f"there is no file or folder {path}")
    try:
        found = _delta(path) if path.is_dir() and delta.exists(str(path)) else _files(path)
    except (pl.exceptions.PolarsError, LakeError, UnicodeDecodeError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ScaffoldError(f"{path} cannot be read: {_plain(str(error).splitlines()[0])}") from error
    if found.frame.is_empty():
        raise ScaffoldError(f"{path} has no rows to learn a project from")
    return found


def _files(path: Path) -> Table:
    kind = _format(path)
    files = source_files(str(path), kind) if path.is_dir() else [local_file(path, path.parent)]
    if kind == "csv":
        return _csv(path, files)
    read = pl.read_parquet if kind == "parquet" else pl.read_ndjson
    return _typed_table(path, kind, pl.concat([read(file.path) for file in files], how="diagonal_relaxed"))


def _format(path: Path) -> str:
    names = [each.name.lower() for each in path.rglob("*") if each.is_file()] if path.is_dir() else [path.name.lower()]
    for kind, extensions in EXTENSIONS.items():
        if any(name.endswith(extensions) for name in names):
            return kind
    if path.is_file() and path.suffix.lower() in (".txt", ".tsv", ".dat", ".data"):
        return "csv"
    known = ", ".join(each for extensions in EXTENSIONS.values() for each in extensions)
    hint = "save a spreadsheet as CSV, unpack a .zip"
    raise ScaffoldError(f"{path} is neither a Delta table nor a file or folder of {known}; {hint}")


def _plain(message: str) -> str:
    """What Polars says of a CSV file, in the words of a person who looks at the file."""
    return next((plain for words, plain in _SAID.items() if words in message), message)


def _delta(path: Path) -> Table:
    return _typed_table(path, "delta", delta.scan(str(path)).collect())


def _typed_table(path: Path, kind: str, frame: pl.DataFrame) -> Table:
    """A table whose columns have types already."""
    kinds = {name: _kind_of(dtype) for name, dtype in frame.schema.items()}
    columns = {name: found for name, found in kinds.items() if found}
    typed = frame.select(cast(name, frame.schema[name], wanted).alias(name) for name, wanted in columns.items())
    strange = tuple(f"'{name}' is of a type that no document declares" for name, found in kinds.items() if not found)
    return Table(path, kind, typed, columns, left_out=strange)


def _kind_of(dtype: pl.DataType) -> str | None:
    if dtype.is_integer():
        return "int"
    if dtype.is_float():
        return "float"
    if isinstance(dtype, pl.Datetime):
        return "datetime"
    named = {pl.String(): "string", pl.Boolean(): "bool", pl.Date(): "date", pl.Categorical(): "string"}
    return "decimal" if dtype.is_decimal() else named.get(dtype)


def _csv(path: Path, files: list[SourceFile]) -> Table:
    encoding, first = _decoded(_bytes(files[0].path))
    delimiter = _delimiter(first)
    texts = pl.concat([_text(file.path, encoding, delimiter) for file in files])
    nameless = [name for name in texts.columns if not name.strip()]
    texts = texts.drop(nameless)
    nulls = [mark for mark in NULLS if any((texts[name] == mark).any() for name in texts.columns)]
    texts = texts.with_columns(pl.all().replace(dict.fromkeys(["", *nulls])))
    formats = _formats(texts)
    columns = {name: _kind(texts[name], formats) for name in texts.columns}
    frame = texts.select(cast(name, pl.String(), kind, format=formats.get(kind)) for name, kind in columns.items())
    reader: dict[str, Any] = {f"{kind}_format": each for kind, each in formats.items()}
    reader |= {"delimiter": delimiter} if delimiter != "," else {}
    reader |= {"encoding": encoding} if encoding != "utf8" else {}
    reader |= {"null_values": ["", *nulls]} if nulls else {}
    # What R and pandas write before the first column: a row's number in this very file.
    return Table(path, "csv", frame, columns, reader, ("a column has no name in the header",) if nameless else ())


def _bytes(file: Path) -> bytes:
    data = file.read_bytes()
    return gzip.decompress(data) if file.name.lower().endswith(PACKED) else data


def _decoded(data: bytes) -> tuple[str, str]:
    """The encoding, as the documents name it, and the text's beginning."""
    try:
        return "utf8", data.decode()[:SNIFFED]
    except UnicodeDecodeError:
        return "latin1", data[:SNIFFED].decode("latin1")


def _delimiter(text: str) -> str:
    try:
        return csv.Sniffer().sniff(text, DELIMITERS).delimiter
    except csv.Error:
        return ","


def _text(file: Path, encoding: str, delimiter: str) -> pl.DataFrame:
    text = _bytes(file).decode("utf8" if encoding == "utf8" else "latin1")
    frame = pl.read_csv(text.encode(), separator=delimiter, infer_schema=False)
    if _is_data(frame.columns):
        raise ScaffoldError(
            f"{file}: its first line is data ({', '.join(frame.columns[:3])}, …); add one with the columns' names"
        )
    twice = sorted({name.partition("_duplicated_")[0] for name in frame.columns if "_duplicated_" in name})
    if twice:
        named = ", ".join(f"'{name}'" for name in twice)
        raise ScaffoldError(f"{file}: more than one column is called {named}; give each a name of its own")
    return frame


def _is_data(header: list[str]) -> bool:
    """Whether a first line names no columns; years and other whole numbers may be some of the names."""
    numbers = [name for name in header if re.fullmatch(r"[+-]?\d+([.,]\d+)?", name.strip())]
    return bool(header) and (len(numbers) == len(header) or any(not name.strip().isdecimal() for name in numbers))


def _formats(texts: pl.DataFrame) -> dict[str, str]:
    """The one format in which all dates that are not ISO 8601 are written, and the same of instants."""
    found: dict[str, str] = {}
    for kind, formats in (("date", DATE_FORMATS), ("datetime", DATETIME_FORMATS)):
        fitting = [each for each in formats if any(_fits(texts[name], kind, each) for name in texts.columns)]
        found |= {kind: fitting[0]} if fitting else {}
    return found


def _kind(column: pl.Series, formats: dict[str, str]) -> str:
    """The narrowest type that every text of a column is of; a code such as 007 stays text."""
    known = column.drop_nulls()
    if known.is_empty() or known.str.contains(r"^[+-]?0\d+$").any():
        return "string"
    if known.str.to_lowercase().is_in(["true", "false"]).all():
        return "bool"
    kinds = ("int", "float", "date", "datetime")
    return next((kind for kind in kinds if _fits(column, kind, formats.get(kind))), "string")


def _fits(column: pl.Series, kind: str, format: str | None) -> bool:  # noqa: A002 - the documents' own word
    known = column.drop_nulls()
    if known.is_empty():
        return False
    read = known.to_frame().select(cast(column.name, pl.String(), kind, format=format)).to_series()
    return read.dtype == COLUMN_TYPES[kind] and not read.null_count()
