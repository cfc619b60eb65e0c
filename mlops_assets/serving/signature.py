"""A table's columns against a model's MLflow signature: what is missing, what has the wrong type, what
converts.

Types are MLflow's: boolean, integer, long, float, double, string, binary, datetime. Columns the signature
does not name are ignored, as MLflow does. Messages name the field and the type found, never a value.
"""

from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import pandas

NULL_TYPES = frozenset({"double", "float", "string"})
_INTEGER_BITS = {"integer": 32, "long": 64}
# pandas types whose every value fits (the first is the one the model gets): large batches arrive so, and
# need no look at each value.
_AS_IT_IS = {
    "double": ("float64", "float32", "int64", "int32"),
    "float": ("float32",),
    "long": ("int64", "int32"),
    "integer": ("int32",),
    "boolean": ("bool",),
    "datetime": ("datetime64[ns]",),
}

_NO_MOMENT = "is no ISO 8601 date or time between 1678 and 2261"


class Column(NamedTuple):
    """One input of a model: its name, its MLflow type and whether a request must carry it."""

    name: str
    type: str
    required: bool


class SignatureError(ValueError):
    """A request's columns do not fit the signature; `field` is the column's name."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"field '{field}': {problem}")
        self.field = field


def conform(frame: "pandas.DataFrame", inputs: Sequence[Column]) -> "pandas.DataFrame":
    """`frame` with exactly the columns of `inputs`, in their order and with their types.

    Missing optional columns are null. Raises SignatureError for the first field that does not fit.
    """
    import pandas as pd

    columns = {column.name: _series(frame, column) for column in inputs}
    return pd.DataFrame(columns, index=frame.index)


def _series(frame: "pandas.DataFrame", column: Column) -> "pandas.Series[Any]":
    import pandas as pd

    if column.name not in frame.columns:
        if column.required:
            raise SignatureError(column.name, _missing(column, [str(name) for name in frame.columns]))
        values: list[Any] = [None] * len(frame)
    else:
        if list(frame.columns).count(column.name) > 1:
            raise SignatureError(column.name, "the column is there twice")
        found = frame[column.name]
        nulls = column.required and column.type not in NULL_TYPES and found.hasnans
        if str(found.dtype) in _AS_IT_IS.get(column.type, ()) and not nulls:
            return pd.Series(found.to_numpy(dtype=_AS_IT_IS[column.type][0]), index=frame.index)
        if column.type == "datetime" and found.dtype.kind == "M" and not nulls:
            return _moments(found, column)
        values = [None if missing else value for value, missing in zip(found.tolist(), found.isna(), strict=True)]
    if column.required and column.type not in NULL_TYPES and None in values:
        raise SignatureError(column.name, f"row {values.index(None)} is null and the column is required")
    return _CONVERSIONS[column.type](values, column).set_axis(frame.index)


def _missing(column: Column, present: list[str]) -> str:
    near = get_close_matches(column.name, present, n=1)
    return f"the column is missing; the model takes a {column.type}" + (
        f" (did you mean it by '{near[0]}'?)" if near else ""
    )


def _refuse(values: list[Any], column: Column, accepts: Callable[[Any], bool]) -> None:
    for row, value in enumerate(values):
        if value is not None and not accepts(value):
            raise SignatureError(column.name, f"row {row} is a {type(value).__name__}, the model takes a {column.type}")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_whole(value: object) -> bool:
    return _is_number(value) and (isinstance(value, int) or (isinstance(value, float) and value.is_integer()))


def _floats(values: list[Any], column: Column) -> "pandas.Series[Any]":
    import pandas as pd

    if not set(map(type, values)) <= {int, float, type(None)}:
        _refuse(values, column, _is_number)
    try:
        return pd.Series(values, dtype="float32" if column.type == "float" else "float64")
    except OverflowError:
        raise SignatureError(column.name, "a number is too large for a double") from None


def _integers(values: list[Any], column: Column) -> "pandas.Series[Any]":
    """Whole numbers; with a null among them they are float64, as pandas itself holds them."""
    import pandas as pd

    if not set(map(type, values)) <= {int, type(None)}:
        _refuse(values, column, _is_whole)
    bits = _INTEGER_BITS[column.type]
    limit = 1 << (bits - 1)
    for row, value in enumerate(values):
        if value is not None and not -limit <= value < limit:
            raise SignatureError(column.name, f"row {row} does not fit in {bits} bits")
    return pd.Series(values, dtype="float64" if None in values else f"int{bits}")


def _booleans(values: list[Any], column: Column) -> "pandas.Series[Any]":
    import pandas as pd

    _refuse(values, column, lambda value: isinstance(value, bool))
    return pd.Series(values, dtype="object" if None in values else "bool")


def _strings(values: list[Any], column: Column) -> "pandas.Series[Any]":
    import pandas as pd

    _refuse(values, column, lambda value: isinstance(value, str))
    return pd.Series(values, dtype="object")


def _bytes(values: list[Any], column: Column) -> "pandas.Series[Any]":
    import pandas as pd

    _refuse(values, column, lambda value: isinstance(value, (bytes, str)))
    try:
        decoded = [b64decode(value, validate=True) if isinstance(value, str) else value for value in values]
    except ValueError:
        raise SignatureError(column.name, "a text is not base64, which binary columns travel in") from None
    return pd.Series(decoded, dtype="object")


def _datetimes(values: list[Any], column: Column) -> "pandas.Series[Any]":
    """ISO 8601 texts or timestamps; with a zone they become UTC and lose it: MLflow's datetime has none."""
    import pandas as pd

    _refuse(values, column, lambda value: isinstance(value, (str, datetime)))
    moments: list[Any] = []
    for row, value in enumerate(values):
        try:
            moments.append(None if value is None else _moment(value))
        except (ValueError, OverflowError):
            raise SignatureError(column.name, f"row {row} {_NO_MOMENT}") from None
    return pd.Series(moments, dtype="datetime64[ns]")


def _moment(value: str | datetime) -> "pandas.Timestamp":
    import pandas as pd

    moment = pd.Timestamp(datetime.fromisoformat(value) if isinstance(value, str) else value)
    return (moment.tz_convert("UTC").tz_localize(None) if moment.tzinfo else moment).as_unit("ns")


def _moments(found: "pandas.Series[Any]", column: Column) -> "pandas.Series[Any]":
    """A column of timestamps in any unit and zone, as a whole."""
    plain = found if found.dt.tz is None else found.dt.tz_convert("UTC").dt.tz_localize(None)
    try:
        return plain.astype("datetime64[ns]")
    except (ValueError, OverflowError):
        raise SignatureError(column.name, f"a row {_NO_MOMENT}") from None


_CONVERSIONS: Mapping[str, Callable[[list[Any], Column], "pandas.Series[Any]"]] = {
    "boolean": _booleans,
    "integer": _integers,
    "long": _integers,
    "float": _floats,
    "double": _floats,
    "string": _strings,
    "binary": _bytes,
    "datetime": _datetimes,
}
TYPES = frozenset(_CONVERSIONS)
