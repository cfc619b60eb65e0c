"""From a fitted ColumnTransformer to the blocks of a plan. What has no plan raises `Unplanned`, naming it.

What a text becomes depends on the text alone, so every known text goes through the fitted encoder once, when the plan
is made, and later is looked up.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from mlops_assets.serving.plan.blocks import MOMENT_PARTS, Block, Lookup, Moments, Numbers, Step, Texts
from mlops_assets.serving.signature import Column

_UNSEEN = "\0unseen"
_NUMBERS = {"double", "long", "integer", "boolean"}


class Unplanned(Exception):
    """A part of a pipeline that has no plan; the message names it."""


def blocks_of(transformer: Any, columns: Sequence[Column]) -> Iterator[Block]:
    """A block of the plan per block of the transformer. Raises Unplanned."""
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
    """The array operations of a transformer of numbers. Raises Unplanned for an unsupported transformer."""
    from sklearn import impute, pipeline, preprocessing

    from mlops_assets.features import transformers as own

    match transformer:
        case "passthrough" | None | own.AsFloat():
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
            return [_step("multiply", transformer.scale_), _step("add", transformer.min_)]
        case impute.SimpleImputer() if _fills_nan(transformer):
            return [_step("fill", transformer.statistics_)]
        case own.Log1p():
            return [_step("log1p")]
        case own.Clip():
            lower, upper = transformer.lower, transformer.upper
            return [_step("clip", -np.inf if lower is None else lower, np.inf if upper is None else upper)]
        case own.Buckets():
            return [_step("buckets", *transformer.edges_)]
    raise Unplanned(f"a {type(transformer).__name__}")


def _step(operation: str, *values: Any) -> Step:
    return Step.model_validate({"operation": operation, "values": values})


def _block(fitted: Any, columns: Sequence[Column]) -> Block:
    first, rest = _first(fitted)
    steps = [step for each in rest for step in number_steps(each)]
    kinds = {column.type for column in columns}
    if kinds <= _NUMBERS:
        return Block(source=Numbers(columns=tuple(columns)), steps=(*number_steps(first), *steps))
    if kinds == {"string"}:
        lookups = [_lookup(first, columns, place) for place in range(len(columns))]
        return Block(source=Texts(columns=tuple(lookups)), steps=tuple(steps))
    if kinds == {"datetime"} and len(columns) == 1:
        return Block(source=_moments(first, columns[0].name), steps=tuple(steps))
    raise Unplanned(f"a {type(fitted).__name__} of {', '.join(sorted(kinds))}")


def _first(fitted: Any) -> tuple[Any, list[Any]]:
    from sklearn.pipeline import Pipeline

    if not isinstance(fitted, Pipeline):
        return fitted, []
    first, *rest = [step for _, step in fitted.steps]
    return first, rest


def _lookup(encoder: Any, columns: Sequence[Column], place: int) -> Lookup:
    """One column's outputs by text, the last row for texts that were not seen."""
    import pandas as pd

    known = [*dict.fromkeys(value for value in _known_texts(encoder, place) if isinstance(value, str)), None]
    texts = [*known, _UNSEEN]
    frame = pd.DataFrame({column.name: pd.Series([None] * len(texts), dtype=object) for column in columns})
    frame[columns[place].name] = pd.Series(texts, dtype=object)
    made = encoder.transform(frame)
    made = np.asarray(made.toarray() if hasattr(made, "toarray") else made, dtype=np.float64)
    ends = np.cumsum(
        [0, *(_output_count(encoder, each, made.shape[1] // len(columns)) for each in range(len(columns)))]
    )
    return Lookup(name=columns[place].name, known=tuple(known), outputs=made[:, ends[place] : ends[place + 1]])


def _known_texts(encoder: Any, place: int) -> list[Any]:
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
            return _known_texts(_first(encoder.transformer_)[0], place)
    raise Unplanned(f"a {type(encoder).__name__} of texts")


def _output_count(encoder: Any, place: int, equal: int) -> int:
    """How many outputs a column has; only one-hot encoding makes it differ from column to column."""
    if not hasattr(encoder, "infrequent_categories_"):
        return equal
    rare = encoder.infrequent_categories_[place]
    return len(encoder.categories_[place]) - (0 if rare is None else len(rare) - 1)


def _moments(parts: Any, name: str) -> Moments:
    from mlops_assets.features.transformers import DatetimeParts

    if not isinstance(parts, DatetimeParts) or any(part not in MOMENT_PARTS for part in parts.parts):
        raise Unplanned(f"a {type(parts).__name__} of datetimes")
    return Moments(name=name, parts=tuple(parts.parts))


def _shifted(centre: Any, scale: Any) -> list[Step]:
    """A scaler's two operations, each where it is switched on."""
    switched = (("subtract", centre), ("divide", scale))
    return [_step(operation, values) for operation, values in switched if values is not None]


def _fills_nan(imputer: Any) -> bool:
    missing, filling = imputer.missing_values, imputer.statistics_
    numbers = np.issubdtype(filling.dtype, np.floating)
    return (
        bool(missing is np.nan or missing != missing)
        and not imputer.add_indicator
        and bool(numbers and not np.isnan(filling).any())
    )
