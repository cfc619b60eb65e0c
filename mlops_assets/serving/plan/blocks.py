"""The parts of a plan as data: what a request's values become, block by block, in few array operations.

Nothing here knows scikit-learn: the gateway's own process answers by these parts, and reads them from JSON. Numbers go
through the same array operations as in scikit-learn; what a text becomes has been looked up when the plan was made.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

from mlops_assets.serving.signature import Column

Values = Mapping[str, Sequence[Any]]
Array = Annotated[
    Any,
    BeforeValidator(lambda given: np.ascontiguousarray(given, dtype=np.float64)),
    PlainSerializer(lambda array: array.tolist()),
]
# Beyond it a whole number is not itself as a float64.
LARGEST_WHOLE = 1 << 53
MOMENT_PARTS: Mapping[str, Callable[[datetime], float]] = {
    "year": lambda moment: moment.year,
    "quarter": lambda moment: (moment.month + 2) // 3,
    "month": lambda moment: moment.month,
    "day": lambda moment: moment.day,
    "dayofweek": lambda moment: moment.weekday(),
    "hour": lambda moment: moment.hour,
    "minute": lambda moment: moment.minute,
    "is_weekend": lambda moment: moment.weekday() >= 5,
}


class Part(BaseModel):
    """One part of a plan; its JSON holds every float64 to the bit."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")


class Step(Part):
    """One operation over a matrix of numbers; shape (n, columns) in and out."""

    operation: Literal["subtract", "divide", "multiply", "add", "fill", "log1p", "clip", "buckets"]
    values: tuple[Array, ...] = ()

    def __call__(self, matrix: Any) -> Any:
        """The matrix after it."""
        return _OPERATIONS[self.operation](matrix, *self.values)


class Numbers(Part):
    """Columns of numbers and truth values, side by side."""

    kind: Literal["numbers"] = "numbers"
    columns: tuple[Column, ...]

    def __call__(self, values: Values) -> Any:
        """Shape (n, columns); None where a value is not of the plain kind."""
        cells, whole = [values[column.name] for column in self.columns], False
        for column, types in zip(cells, self._allowed, strict=True):
            found = set(map(type, column))
            if not found <= types:
                return None
            whole = whole or int in found
        if whole and _has_large_whole(cells):
            return None
        return np.ascontiguousarray(np.array(cells, dtype=np.float64).T)

    @cached_property
    def _allowed(self) -> list[set[type]]:
        return [_types_of(column) for column in self.columns]


class Lookup(Part):
    """A column of texts: the outputs of each known one, and in the last row those of all others."""

    name: str
    known: tuple[str | None, ...]
    outputs: Array

    def __call__(self, cells: Sequence[Any]) -> Any:
        """Shape (n, outputs)."""
        unseen = len(self.known)
        if len(cells) == 1:
            place = self._places.get(cells[0], unseen)
            return self.outputs[place : place + 1]
        return self.outputs[[self._places.get(cell, unseen) for cell in cells]]

    @cached_property
    def _places(self) -> dict[str | None, int]:
        return {text: place for place, text in enumerate(self.known)}


class Texts(Part):
    """Columns of texts by their outputs, side by side."""

    kind: Literal["texts"] = "texts"
    columns: tuple[Lookup, ...]

    def __call__(self, values: Values) -> Any:
        """Shape (n, outputs); None where a value is no text."""
        parts = []
        for column in self.columns:
            cells = values[column.name]
            if not _TEXT_TYPES.issuperset(map(type, cells)):
                return None
            parts.append(column(cells))
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)


class Moments(Part):
    """Parts of a column of dates and times in ISO 8601."""

    kind: Literal["moments"] = "moments"
    name: str
    parts: tuple[str, ...]

    def __call__(self, values: Values) -> Any:
        """Shape (n, parts); None where a value is no date or time."""
        rows = []
        for cell in values[self.name]:
            moment = _moment(cell) if isinstance(cell, str) else None
            if moment is None and cell is not None:
                return None
            rows.append(self._parts_of(moment))
        return np.array(rows, dtype=np.float64)

    def _parts_of(self, moment: datetime | None) -> list[float]:
        return [np.nan if moment is None else MOMENT_PARTS[part](moment) for part in self.parts]


class Block(Part):
    """One block of columns: from a request's values to the outputs of a part of the ColumnTransformer."""

    source: Annotated[Numbers | Texts | Moments, Field(discriminator="kind")]
    steps: tuple[Step, ...] = ()

    def __call__(self, values: Values) -> Any:
        """Shape (n, outputs); None where the plan does not fit."""
        found = self.source(values)
        return None if found is None else after(self.steps, found)


def after(steps: Iterable[Step], matrix: Any) -> Any:
    """The matrix after the steps."""
    for step in steps:
        matrix = step(matrix)
    return matrix


def _types_of(column: Column) -> set[type]:
    kinds: dict[str, set[type]] = {"boolean": {bool}, "long": {int}, "integer": {int}}
    found = kinds.get(column.type, {int, float})
    return found | {type(None)} if not column.required or column.type == "double" else found


def _has_large_whole(cells: Sequence[Sequence[Any]]) -> bool:
    return any(isinstance(value, int) and abs(value) >= LARGEST_WHOLE for column in cells for value in column)


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if not 1700 < moment.year < 2200:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment


def _filled(matrix: Any, filling: Any) -> Any:
    return np.where(np.isnan(matrix), filling, matrix)


def _log1p(matrix: Any) -> Any:
    return np.log1p(np.where(matrix > -1, matrix, np.nan))


def _buckets(matrix: Any, *edges: Any) -> Any:
    bins = [np.searchsorted(each, column, side="right") for each, column in zip(edges, matrix.T, strict=True)]
    return np.where(np.isnan(matrix), np.nan, np.stack(bins, axis=1).astype(np.float64))


_TEXT_TYPES = {str, type(None)}
_OPERATIONS: Mapping[str, Callable[..., Any]] = {
    "subtract": np.subtract,
    "divide": np.divide,
    "multiply": np.multiply,
    "add": np.add,
    "fill": _filled,
    "log1p": _log1p,
    "clip": np.clip,
    "buckets": _buckets,
}
