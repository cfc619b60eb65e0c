"""A document's transformation steps on Polars frames. One function a step; unknown columns are refused before any row
is read.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from mlops_assets.lake.constants import constant, require_constants
from mlops_assets.lake.errors import LakeError, nearest
from mlops_assets.lake.types import cast
from mlops_assets.rules import polars as rules
from mlops_assets.rules import schema_of
from mlops_assets.secrets import resolved

if TYPE_CHECKING:
    from mlops_assets.config.transform_steps import TransformStep

Step = Callable[[pl.LazyFrame, Any, pl.Schema, datetime], pl.LazyFrame]


def transform(frame: pl.LazyFrame, step: "TransformStep", as_of: datetime) -> pl.LazyFrame:
    """The frame after one step.

    Raises:
        LakeError: the step names a column that is not there.
        RuleError: its condition or expression does not fit the columns' types.
    """
    schema = frame.collect_schema()
    require_columns(step, schema.names())
    return _STEPS[step.type](frame, step, schema, as_of)


def transformed(frame: pl.DataFrame, step: "TransformStep", as_of: datetime) -> pl.DataFrame:
    """The rows after one step; raises as `transform`, and LakeError where the step does not fit their values."""
    try:
        return transform(frame.lazy(), step, as_of).collect()
    except pl.exceptions.PolarsError as error:
        unequal = step.type == "explode" and isinstance(error, pl.exceptions.ShapeError)
        raise LakeError(
            unequal_lists(step) if unequal else f"step {step.type}: {str(error).splitlines()[0]}"
        ) from error


def require_columns(step: "TransformStep", present: Sequence[str]) -> None:
    """Raise LakeError for the first column that the step names and that is not `present`, with the nearest; or for a
    new name that one of them has.
    """
    missing = [column for column in _columns(step) if column not in present]
    if missing:
        visible = [name for name in present if not name.startswith("_")]
        raise LakeError(
            f"step {step.type}: no column '{missing[0]}'{nearest(missing[0], visible)} (columns: {', '.join(visible)})"
        )
    _require_new_names(step, present)


def require_text(step: Any, types: Mapping[str, str], text: str) -> None:
    """Raise LakeError for the first of the step's columns whose type is not `text`, the engine's name for it."""
    for column, stored in types.items():
        if stored != text:
            raise LakeError(f"step {step.type}: column '{column}' is {stored}, and only text can be changed so")


def require_lists(step: Any, types: Mapping[str, str]) -> None:
    """Raise LakeError for the first of the step's columns that does not hold lists; types as the engine has them."""
    for column, stored in types.items():
        if not stored.lower().startswith(("list", "array")):
            raise LakeError(f"step {step.type}: column '{column}' is {stored}, and only lists have elements")


def unequal_lists(step: Any) -> str:
    """The error message for an `explode` of lists that differ in length, on either engine."""
    named = ", ".join(step.columns)
    return f"step {step.type}: {named} of one row differ in length; make them equal at their source"


def require_no_lists(step: Any, types: Mapping[str, pl.DataType]) -> None:
    """Raise LakeError for the first of the step's columns that holds lists."""
    for column in step.columns:
        if isinstance(types[column], pl.List | pl.Array):
            raise LakeError(f"step {step.type}: column '{column}' is {types[column]}; explode it before")


def _require_new_names(step: Any, present: Sequence[str]) -> None:
    """Raise LakeError where a step would give two columns one name."""
    names = Counter(step.mapping.get(name, name) for name in present) if step.type == "rename_columns" else Counter()
    for name, count in names.items():
        if count > 1:
            raise LakeError(f"step {step.type}: there is a column '{name}' already; drop or rename that one before")


def _columns(step: Any) -> Iterable[str]:
    """The columns that a step reads by name."""
    if step.type == "derive":
        return ()
    if step.type in ("rename_columns", "cast", "fill_null"):
        return tuple(getattr(step, {"rename_columns": "mapping", "cast": "columns", "fill_null": "values"}[step.type]))
    if step.type == "deduplicate":
        return (*step.keys, *step.order_by)
    return tuple(getattr(step, "columns", None) or ([step.column] if hasattr(step, "column") else []))


def _drop(frame: pl.LazyFrame, step: Any, schema: pl.Schema, as_of: datetime) -> pl.LazyFrame:
    return frame.drop(step.columns)


def _rename(frame: pl.LazyFrame, step: Any, schema: pl.Schema, as_of: datetime) -> pl.LazyFrame:
    return frame.rename(dict(step.mapping))


def _cast(frame: pl.LazyFrame, step: Any, schema: pl.Schema, as_of: datetime) -> pl.LazyFrame:
    require_no_lists(step, schema)
    return frame.with_columns(cast(name, schema[name], wanted).alias(name) for name, wanted in step.columns.items())


def _fill_null(frame: pl.LazyFrame, step: Any, schema: pl.Schema, as_of: datetime) -> pl.LazyFrame:
    require_constants(step, schema)
    return frame.with_columns(
        pl.col(name).fill_null(constant(value, schema[name])) for name, value in step.values.items()
    )


def _filter(frame: pl.LazyFrame, step: Any, schema: pl.Schema, as_of: datetime) -> pl.LazyFrame:
    return frame.filter(rules.expression(step.condition, schema_of(schema), as_of=as_of).fill_null(False))


def _derive(frame: pl.LazyFrame, step: Any, schema: pl.Schema, as_of: datetime) -> pl.LazyFrame:
    """Each expression sees the columns derived before it."""
    for name, expression in step.columns.items():
        frame = frame.with_columns(
            rules.expression(expression, schema_of(frame.collect_schema()), as_of=as_of).alias(name)
        )
    return frame


def _deduplicate(frame: pl.LazyFrame, step: Any, schema: pl.Schema, as_of: datetime) -> pl.LazyFrame:
    ordered = frame.sort(step.order_by, maintain_order=True, nulls_last=False) if step.order_by else frame
    return ordered.unique(subset=list(step.keys), keep=step.keep, maintain_order=True)


def _text(change: Callable[[pl.Expr], pl.Expr]) -> Step:
    def step_on_text(frame: pl.LazyFrame, step: Any, schema: pl.Schema, as_of: datetime) -> pl.LazyFrame:
        require_text(step, {name: str(schema[name]) for name in step.columns}, "String")
        return frame.with_columns(change(pl.col(name)) for name in step.columns)

    return step_on_text


def _parse_date(frame: pl.LazyFrame, step: Any, schema: pl.Schema, as_of: datetime) -> pl.LazyFrame:
    wanted = "datetime" if step.datetime else "date"
    return frame.with_columns(cast(name, schema[name], wanted, format=step.format).alias(name) for name in step.columns)


def _explode(frame: pl.LazyFrame, step: Any, schema: pl.Schema, as_of: datetime) -> pl.LazyFrame:
    require_lists(step, {name: str(schema[name]) for name in step.columns})
    # A row whose list is empty or null stays, with a null: exploding adds rows and loses none.
    return frame.explode(list(step.columns), empty_as_null=True, keep_nulls=True)


def _split(frame: pl.LazyFrame, step: Any, schema: pl.Schema, as_of: datetime) -> pl.LazyFrame:
    require_text(step, {step.column: str(schema[step.column])}, "String")
    parts = pl.col(step.column).str.splitn(step.separator, len(step.into))
    return frame.with_columns(parts.struct.field(f"field_{i}").alias(name) for i, name in enumerate(step.into))


def _hash(frame: pl.LazyFrame, step: Any, schema: pl.Schema, as_of: datetime) -> pl.LazyFrame:
    require_no_lists(step, schema)
    salt = resolved(step.salt.get_secret_value()) if step.salt else ""
    return frame.with_columns(
        pl.col(name).cast(pl.String).map_elements(lambda value: _digest(salt, value), return_dtype=pl.String)
        for name in step.columns
    )


def _digest(salt: str, value: str) -> str:
    """SHA-256, in hexadecimal: the same on every engine, which Polars' own hash is not."""
    return hashlib.sha256(f"{salt}{value}".encode()).hexdigest()


_STEPS: Mapping[str, Step] = {
    "drop_columns": _drop,
    "rename_columns": _rename,
    "cast": _cast,
    "fill_null": _fill_null,
    "filter": _filter,
    "derive": _derive,
    "deduplicate": _deduplicate,
    "trim": _text(lambda text: text.str.strip_chars(" \t\r\n")),
    "lower": _text(lambda text: text.str.to_lowercase()),
    "upper": _text(lambda text: text.str.to_uppercase()),
    "parse_date": _parse_date,
    "explode": _explode,
    "split": _split,
    "hash": _hash,
}
