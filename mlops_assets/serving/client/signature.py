"""What an endpoint takes, as its OpenAPI description says, so that wrong rows never leave the caller's machine."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from difflib import get_close_matches
from math import isfinite
from typing import TYPE_CHECKING, Any

from mlops_assets.serving.errors import EndpointNotFound, InvalidInput, NotAuthorized, NotImplementedThere
from mlops_assets.serving.signature import NULL_TYPES, Column

if TYPE_CHECKING:
    import pandas

    from mlops_assets.serving.client.transport import Deadline, Transport

SECONDS = 60.0
# OpenAPI's (type, format) to MLflow's type.
TYPES = {
    ("boolean", None): "boolean",
    ("integer", "int32"): "integer",
    ("integer", "int64"): "long",
    ("integer", None): "long",
    ("number", "float"): "float",
    ("number", "double"): "double",
    ("number", None): "double",
    ("string", None): "string",
    ("string", "byte"): "binary",
    ("string", "binary"): "binary",
    ("string", "date-time"): "datetime",
}


class SignatureCache:
    """The columns of each endpoint, asked for again after a minute, and before rows are refused."""

    def __init__(self, transport: "Transport") -> None:
        self._transport = transport
        self._known: dict[str, tuple[float, Sequence[Column]]] = {}

    async def check(self, endpoint: str, until: "Deadline", accept: Callable[[Sequence[Column]], None]) -> None:
        """Call `accept` with the endpoint's columns, where it tells them; what it raises is raised."""
        known = self._known.get(endpoint)
        if known and time.monotonic() - known[0] < SECONDS and _accepts(accept, known[1]):
            return
        self._known[endpoint] = time.monotonic(), await self._ask(endpoint, until)
        accept(self._known[endpoint][1])

    async def _ask(self, endpoint: str, until: "Deadline") -> Sequence[Column]:
        """Empty where the endpoint does not describe itself: then it alone judges the rows."""
        try:
            path = f"/api/2.0/serving-endpoints/{endpoint}/openapi"
            return described_columns(await self._transport.send(endpoint, "GET", path, until))
        except (EndpointNotFound, NotAuthorized, InvalidInput, NotImplementedThere):
            return ()


def _accepts(accept: Callable[[Sequence[Column]], None], columns: Sequence[Column]) -> bool:
    """Whether rows fit the cached columns, which may be those of an earlier version."""
    try:
        accept(columns)
    except InvalidInput:
        return False
    return True


def described_columns(description: Any) -> Sequence[Column]:
    """The columns of an endpoint's OpenAPI description; empty where it names none or its versions differ."""
    found = {tuple(_columns(items)) for items in _record_schemas(description)}
    return found.pop() if len(found) == 1 else ()


def _record_schemas(node: Any) -> Iterator[Mapping[str, Any]]:
    """The schema of one row, wherever `dataframe_records` is described."""
    if isinstance(node, Mapping):
        records = node.get("dataframe_records")
        if isinstance(records, Mapping) and isinstance(records.get("items"), Mapping):
            yield records["items"]
        for child in node.values():
            yield from _record_schemas(child)
    elif isinstance(node, list):
        for child in node:
            yield from _record_schemas(child)


def _columns(items: Mapping[str, Any]) -> Iterator[Column]:
    required = items.get("required", ())
    for name, schema in items.get("properties", {}).items():
        given = schema.get("type")
        kinds = [kind for kind in (given if isinstance(given, list) else [given]) if kind != "null"]
        kind = TYPES.get((kinds[0], schema.get("format"))) if len(kinds) == 1 else None
        if kind is not None:
            yield Column(name, kind, name in required)


def check_rows(frame: "pandas.DataFrame", columns: Sequence[Column]) -> None:
    """Raise InvalidInput naming the first column that the endpoint would refuse; the message contains no values."""
    for column in columns:
        if column.name in frame.columns:
            _check_cells(frame[column.name], column)
        elif column.required:
            near = get_close_matches(column.name, list(frame.columns), n=1)
            hint = f" (did you mean it by '{near[0]}'?)" if near else ""
            message = f"field '{column.name}': the column is missing; the model takes a {column.type}{hint}"
            raise InvalidInput(message, column.name)


def _check_cells(cells: "pandas.Series[Any]", column: Column) -> None:
    missing = cells.isna().to_numpy()
    if column.required and column.type not in NULL_TYPES and missing.any():
        message = f"field '{column.name}': row {int(missing.argmax())} is null and the column is required"
        raise InvalidInput(message, column.name)
    if cells.dtype.kind in _NUMPY_KINDS.get(column.type, ""):
        return
    for row, value in enumerate(cells.astype(object).tolist()):
        if not missing[row] and not _fits(value, column.type):
            message = f"field '{column.name}': row {row} is a {type(value).__name__}, the model takes a {column.type}"
            raise InvalidInput(message, column.name)


def _fits(value: Any, kind: str) -> bool:
    plain = value.item() if hasattr(value, "item") else value
    if isinstance(plain, bool):
        return kind == "boolean"
    if kind in ("integer", "long"):
        whole = isinstance(plain, (float, Decimal)) and isfinite(plain) and plain == int(plain)
        return whole or isinstance(plain, int)
    return isinstance(plain, _PYTHON_TYPES[kind])


_NUMPY_KINDS = {"double": "iuf", "float": "iuf", "integer": "iu", "long": "iu", "boolean": "b", "datetime": "M"}
_PYTHON_TYPES: Mapping[str, tuple[type, ...]] = {
    "boolean": (bool,),
    "float": (int, float, Decimal),
    "double": (int, float, Decimal),
    "string": (str,),
    "binary": (bytes, str),
    "datetime": (date, str),
}
