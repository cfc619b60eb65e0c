"""A pandas frame as JSON bodies of the scoring protocol: one value at a time, each body within the limits."""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from json import dumps
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

from mlops_assets.serving.errors import InvalidInput

if TYPE_CHECKING:
    import pandas

MAX_ROWS = 10_000
MAX_BYTES = 8 * 1024 * 1024


class Chunk(NamedTuple):
    """One request's body and how many rows it carries."""

    body: bytes
    rows: int


def chunks(frame: "pandas.DataFrame", *, max_rows: int = MAX_ROWS, max_bytes: int = MAX_BYTES) -> Iterator[Chunk]:
    """`frame` in order as dataframe_split bodies. Every null is null, dates are ISO 8601, decimals numbers.

    Raises InvalidInput naming the column that holds what JSON cannot carry.
    """
    names = column_names(frame)
    head = f'{{"dataframe_split": {{"columns": {dumps(names)}, "data": ['.encode()
    columns = [_cells(frame.iloc[:, position], name) for position, name in enumerate(names)]
    rows: list[bytes] = []
    size = len(head)
    for cells in zip(*columns, strict=True):
        row = f"[{', '.join(cells)}]".encode()
        if rows and (len(rows) == max_rows or size + len(row) + 2 > max_bytes):
            yield _chunk(head, rows)
            rows, size = [], len(head)
        rows.append(row)
        size += len(row) + 2
    if rows:
        yield _chunk(head, rows)


def column_names(frame: "pandas.DataFrame") -> list[str]:
    """The frame's column names. Raises InvalidInput where one is no text or is there twice."""
    names = list(frame.columns)
    for name in names:
        if not isinstance(name, str):
            raise InvalidInput(f"column {name!r}: names must be text, this is a {type(name).__name__}.", str(name))
        if names.count(name) > 1:
            raise InvalidInput(f"column '{name}' is there twice.", name)
    return names


def _chunk(head: bytes, rows: Sequence[bytes]) -> Chunk:
    return Chunk(head + b", ".join(rows) + b"]}}", len(rows))


def _cells(column: "pandas.Series[Any]", name: str) -> list[str]:
    values = column.astype(object).tolist()
    return ["null" if missing else _cell(value, name) for value, missing in zip(values, column.isna(), strict=True)]


def _cell(value: Any, name: str) -> str:
    """One value as JSON text."""
    plain = value.item() if hasattr(value, "item") else value
    if isinstance(plain, (datetime, date)):
        return dumps(plain.isoformat())
    if isinstance(plain, Decimal):
        plain = float(plain)
    if isinstance(plain, bytes):
        return dumps(b64encode(plain).decode())
    if isinstance(plain, float) and not isfinite(plain):
        raise InvalidInput(f"column '{name}' holds an infinity, which JSON has no number for.", name)
    if not isinstance(plain, (str, int, float, bool)):
        raise InvalidInput(f"column '{name}' holds a {type(value).__name__}; plain values are wanted.", name)
    return dumps(plain)
