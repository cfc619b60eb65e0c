"""From a request's values to the columns an estimator takes: one function a block of a fitted ColumnTransformer.

What a text becomes depends on the text alone, so every known text goes through the fitted encoder once, when the plan
is made, and later is looked up. Numbers go through the same array operations as in scikit-learn.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np

from mlops_assets.serving.signature import Column

Values = Mapping[str, Sequence[Any]]
Block = Callable[[Values], Any]
Step = Callable[[Any], Any]
# Beyond it a whole number is not itself as a float64.
LARGEST_WHOLE = 1 << 53
_UNSEEN = "\0unseen"
_NUMBERS = {"double", "float", "long", "integer", "boolean"}
_PARTS: Mapping[str, Callable[[datetime], float]] = {
    "year": lambda moment: moment.year,
    "quarter": lambda moment: (moment.month + 2) // 3,
    "month": lambda moment: moment.month,
    "day": lambda moment: moment.day,
    "dayofweek": lambda moment: moment.weekday(),
    "hour": lambda moment: moment.hour,
    "minute": lambda moment: moment.minute,
    "is_weekend": lambda moment: moment.weekday() >= 5,
}


class Unplanned(Exception):
    """A part of a pipeline that has no plan; the message names it."""


def blocks_of(transformer: Any, columns: Sequence[Column]) -> Iterator[Block]:
    """A function per block that makes its outputs, shape (n, outputs). Raises Unplanned."""
    names = list(getattr(transformer, "feature_names_in_", [column.name for column in columns]))
    types = {column.name: column for column in columns}
    for name, fitted, which in transformer.transformers_:
        chosen = [which] if isinstance(which, str) else list(which)
        if (isinstance(fitted, str) and fitted == "drop") or not chosen:
            continue
        if not all(isinstance(each, (str, int, np.integer)) and not isinstance(each, bool) for each in chosen):
            raise Unplanned(f"columns of '{name}' that are not names")
        block = [types[each if isinstance(each, str) else names[each]] for each in chosen]
        yield _block(fitted, block)


def number_steps(transformer: Any) -> list[Step]:
    """The array operations of a transformer of numbers. Raises Unplanned where it is none of the known ones."""
    from sklearn import impute, pipeline, preprocessing

    from mlops_assets.features import transformers as own

    match transformer:
        case "passthrough" | None:
            return []
        case pipeline.Pipeline():
            return [step for _, each in transformer.steps for step in number_steps(each)]
        case preprocessing.FunctionTransformer() if transformer.func is None:
            return []
        case preprocessing.StandardScaler():
            return _shifted(transformer.mean_, transformer.scale_)
        case preprocessing.RobustScaler():
            return _shifted(transformer.center_, transformer.scale_)
        case preprocessing.MinMaxScaler() if not transformer.clip:
            return [lambda made: made * transformer.scale_, lambda made: made + transformer.min_]
        case impute.SimpleImputer() if _fills_nan(transformer):
            filling = transformer.statistics_.astype(np.float64)
            return [lambda made: np.where(np.isnan(made), filling, made)]
        case own.AsFloat() | own.Log1p() | own.Clip() | own.Buckets():
            return [transformer.transform]
    raise Unplanned(f"a {type(transformer).__name__}")


def _block(fitted: Any, columns: Sequence[Column]) -> Block:
    first, rest = _first(fitted)
    steps = [step for each in rest for step in number_steps(each)]
    kinds = {column.type for column in columns}
    if kinds <= _NUMBERS:
        return _after(_numbers(columns), [*number_steps(first), *steps])
    if kinds == {"string"}:
        return _after(_looked_up(first, columns), steps)
    if kinds == {"datetime"} and len(columns) == 1:
        return _after(_moments(first, columns[0].name), steps)
    raise Unplanned(f"a {type(fitted).__name__} of {', '.join(sorted(kinds))}")


def _first(fitted: Any) -> tuple[Any, list[Any]]:
    from sklearn.pipeline import Pipeline

    if not isinstance(fitted, Pipeline):
        return fitted, []
    first, *rest = [step for _, step in fitted.steps]
    return first, rest


def _after(block: Block, steps: Sequence[Step]) -> Block:
    def made(values: Values) -> Any:
        found = block(values)
        for step in steps:
            if found is None:
                return None
            found = step(found)
        return found

    return made if steps else block


def _numbers(columns: Sequence[Column]) -> Block:
    allowed = [_types_of(column) for column in columns]
    names = [column.name for column in columns]
    narrow = any(column.type == "float" for column in columns)

    def made(values: Values) -> Any:
        cells, whole = [values[name] for name in names], False
        for column, types in zip(cells, allowed, strict=True):
            found = set(map(type, column))
            if narrow or not found <= types:
                return None
            whole = whole or int in found
        if whole and _has_large_whole(cells):
            return None
        return np.ascontiguousarray(np.array(cells, dtype=np.float64).T)

    return made


def _types_of(column: Column) -> set[type]:
    kinds: dict[str, set[type]] = {"boolean": {bool}, "long": {int}, "integer": {int}}
    found = kinds.get(column.type, {int, float})
    return found | {type(None)} if not column.required or column.type == "double" else found


def _has_large_whole(cells: Sequence[Sequence[Any]]) -> bool:
    return any(isinstance(value, int) and abs(value) >= LARGEST_WHOLE for column in cells for value in column)


def _looked_up(encoder: Any, columns: Sequence[Column]) -> Block:
    """Texts by their outputs, which the fitted encoder has given once for each text it knows."""
    tables = [_table(encoder, columns, place) for place in range(len(columns))]
    types = {str, type(None)}

    def made(values: Values) -> Any:
        parts = []
        for column, (places, table) in zip(columns, tables, strict=True):
            cells = values[column.name]
            if not types.issuperset(map(type, cells)):
                return None
            unseen = len(table) - 1
            if len(cells) == 1:
                place = places.get(cells[0], unseen)
                parts.append(table[place : place + 1])
            else:
                parts.append(table[[places.get(cell, unseen) for cell in cells]])
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    return made


def _table(encoder: Any, columns: Sequence[Column], place: int) -> tuple[dict[Any, int], Any]:
    """Row number by text, and a row of outputs per text, the last one for texts that were not seen."""
    import pandas as pd

    known = [value for value in _known(encoder, place) if isinstance(value, str)]
    texts = [*dict.fromkeys(known), None, _UNSEEN]
    frame = pd.DataFrame({column.name: pd.Series([None] * len(texts), dtype=object) for column in columns})
    frame[columns[place].name] = pd.Series(texts, dtype=object)
    made = encoder.transform(frame)
    made = np.asarray(made.toarray() if hasattr(made, "toarray") else made, dtype=np.float64)
    ends = np.cumsum([0, *(_width(encoder, each, made.shape[1] // len(columns)) for each in range(len(columns)))])
    outputs = np.ascontiguousarray(made[:, ends[place] : ends[place + 1]])
    return {text: number for number, text in enumerate(texts[:-1])}, outputs


def _known(encoder: Any, place: int) -> list[Any]:
    """The texts an encoder tells apart. Raises Unplanned where it looks into texts it has not seen."""
    from sklearn import preprocessing

    from mlops_assets.features import transformers as own

    match encoder:
        case preprocessing.OneHotEncoder() | preprocessing.OrdinalEncoder() | preprocessing.TargetEncoder():
            return list(encoder.categories_[place])
        case own.Categories():
            return [*encoder.categories_[place], *encoder.rare_[place]]
        case own.OneHot():
            return list(encoder.categories_)
        case own.Chosen():
            return _known(_first(encoder.transformer_)[0], place)
    raise Unplanned(f"a {type(encoder).__name__} of texts")


def _width(encoder: Any, place: int, equal: int) -> int:
    """How many outputs a column has; only one-hot encoding makes it differ from column to column."""
    if not hasattr(encoder, "infrequent_categories_"):
        return equal
    rare = encoder.infrequent_categories_[place]
    return len(encoder.categories_[place]) - (0 if rare is None else len(rare) - 1)


def _moments(parts: Any, name: str) -> Block:
    from mlops_assets.features.transformers import DatetimeParts

    if not isinstance(parts, DatetimeParts) or any(part not in _PARTS for part in parts.parts):
        raise Unplanned(f"a {type(parts).__name__} of datetimes")
    wanted = [_PARTS[part] for part in parts.parts]
    nothing = [np.nan] * len(wanted)

    def made(values: Values) -> Any:
        rows = []
        for cell in values[name]:
            moment = _moment(cell) if isinstance(cell, str) else None
            if moment is None and cell is not None:
                return None
            rows.append(nothing if moment is None else [part(moment) for part in wanted])
        return np.array(rows, dtype=np.float64)

    return made


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if not 1700 < moment.year < 2200:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment


def _shifted(centre: Any, scale: Any) -> list[Step]:
    """A scaler's two operations, each where it is switched on."""
    steps: list[Step] = []
    if centre is not None:
        steps.append(lambda made: made - centre)
    if scale is not None:
        steps.append(lambda made: made / scale)
    return steps


def _fills_nan(imputer: Any) -> bool:
    missing, filling = imputer.missing_values, imputer.statistics_
    numbers = np.issubdtype(filling.dtype, np.floating)
    return (
        bool(missing is np.nan or missing != missing)
        and not imputer.add_indicator
        and bool(numbers and not np.isnan(filling).any())
    )
