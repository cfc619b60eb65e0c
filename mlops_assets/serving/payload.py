"""The rows of an invocation's JSON body, in any of the four forms of the MLflow scoring protocol."""

from collections.abc import Callable, Mapping, Sequence
from json import JSONDecoder, JSONEncoder, detect_encoding, dumps
from typing import Any, NamedTuple, NoReturn

MAX_BODY_BYTES = 16 * 1024 * 1024


class Table(NamedTuple):
    """Rows in request order; every row has one value per column."""

    columns: list[str]
    rows: list[list[Any]]


class PayloadError(ValueError):
    """A body that is not one table; `field` is the part of the body that is wrong."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field


def parse(body: bytes) -> dict[str, Any]:
    """The body's JSON object. NaN and infinities are refused: JSON has none, a missing value is null."""
    try:
        payload = _DECODER.decode(body.decode(detect_encoding(body), "surrogatepass"))
    except PayloadError:
        raise
    except (ValueError, RecursionError) as error:
        raise PayloadError("body", f"it is not JSON ({type(error).__name__})") from None
    if not isinstance(payload, dict):
        raise PayloadError("body", f"a JSON object is wanted, this is a {type(payload).__name__}")
    return payload


def table(payload: Mapping[str, Any], names: Sequence[str]) -> Table:
    """The table in `payload`; `names` are the model's columns, for the forms that give values by position."""
    given = [form for form in _FORMS if form in payload]
    if len(given) != 1:
        found = ", ".join(given) or "none of them"
        raise PayloadError("body", f"exactly one of {', '.join(_FORMS)} is wanted, this has {found}")
    return _FORMS[given[0]](payload[given[0]], names)


def error_body(code: str, message: str, field: str | None = None) -> bytes:
    """An error as Databricks writes it, with the field in `details` where one is to blame."""
    error: dict[str, Any] = {"error_code": code, "message": message}
    if field is not None:
        violation = {"field": field, "description": message}
        error["details"] = [{"@type": "type.googleapis.com/google.rpc.BadRequest", "field_violations": [violation]}]
    return dumps(error).encode()


def predictions_body(predictions: Sequence[Mapping[str, Any]]) -> bytes:
    """An answer's body. NaN and infinities are null: JSON has none."""
    try:
        return _ENCODER.encode({"predictions": predictions}).encode()
    except ValueError:
        return _ENCODER.encode({"predictions": _null_for_nan(predictions)}).encode()


def _null_for_nan(value: Any) -> Any:
    if isinstance(value, float) and (value != value or abs(value) == float("inf")):
        return None
    if isinstance(value, dict):
        return {key: _null_for_nan(part) for key, part in value.items()}
    return [_null_for_nan(part) for part in value] if isinstance(value, list) else value


def _no_constant(constant: str) -> NoReturn:
    raise PayloadError("body", f"{constant} is not JSON: a missing value is null")


_DECODER = JSONDecoder(parse_constant=_no_constant)
_ENCODER = JSONEncoder(allow_nan=False, default=str)


def _split(value: Any, names: Sequence[str]) -> Table:
    if not isinstance(value, dict) or not isinstance(value.get("data"), list):
        raise PayloadError("dataframe_split", "an object with lists 'columns' and 'data' is wanted")
    columns = value.get("columns", list(names))
    if not isinstance(columns, list) or not all(isinstance(name, str) for name in columns):
        raise PayloadError("dataframe_split.columns", "a list of names is wanted")
    return Table(columns, _rectangular(value["data"], len(columns), "dataframe_split.data"))


def _records(value: Any, names: Sequence[str]) -> Table:
    return _objects(value, "dataframe_records")


def _instances(value: Any, names: Sequence[str]) -> Table:
    if isinstance(value, list) and value and isinstance(value[0], list):
        return Table(list(names), _rectangular(value, len(names), "instances"))
    return _objects(value, "instances")


def _inputs(value: Any, names: Sequence[str]) -> Table:
    if not isinstance(value, dict):
        if isinstance(value, list) and value and isinstance(value[0], list):
            return Table(list(names), _rectangular(value, len(names), "inputs"))
        return _objects(value, "inputs")
    columns = {name: cells if isinstance(cells, list) else [cells] for name, cells in value.items()}
    if len({len(cells) for cells in columns.values()}) > 1:
        raise PayloadError("inputs", "the columns have different lengths")
    return Table(list(columns), [list(row) for row in zip(*columns.values(), strict=True)])


def _objects(value: Any, where: str) -> Table:
    if not isinstance(value, list):
        raise PayloadError(where, "a list of rows is wanted")
    for position, row in enumerate(value):
        if not isinstance(row, dict):
            raise PayloadError(f"{where}[{position}]", "an object of column names and values is wanted")
    columns = list(dict.fromkeys(name for row in value for name in row))
    return Table(columns, [[row.get(name) for name in columns] for row in value])


def _rectangular(rows: list[Any], width: int, where: str) -> list[list[Any]]:
    for position, row in enumerate(rows):
        if not isinstance(row, list):
            raise PayloadError(f"{where}[{position}]", "a list of values is wanted")
        if len(row) != width:
            raise PayloadError(f"{where}[{position}]", f"it has {len(row)} values, there are {width} columns")
    return rows


_FORMS: Mapping[str, Callable[[Any, Sequence[str]], Table]] = {
    "dataframe_split": _split,
    "dataframe_records": _records,
    "instances": _instances,
    "inputs": _inputs,
}
