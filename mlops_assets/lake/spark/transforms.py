"""A document's transformation steps on Spark frames: the same names and meaning as in `lake.transforms`.

Rows never leave: a `filter` marks in `GONE` what it removes, so that all rows are counted in one pass at the end.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from operator import or_
from typing import TYPE_CHECKING, Any

from mlops_assets.lake import transforms
from mlops_assets.lake.constants import require_constants
from mlops_assets.lake.spark.types import polars_type, quoted, typed
from mlops_assets.rules import schema_of
from mlops_assets.rules import spark as rules
from mlops_assets.rules.balanced import balanced
from mlops_assets.rules.spark_operations import Expr, functions
from mlops_assets.secrets import resolved

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from mlops_assets.config.transform_steps import TransformStep

# Of each row: whence it came, its place among those an `explode` made of one, why it is unreadable, what removed it.
ROW, PLACE, LOST, GONE = "__row", "__place", "__lost", "__gone"
INTERNAL = (ROW, PLACE, LOST, GONE)

Step = Callable[["DataFrame", Any, datetime], "DataFrame"]


def transform(frame: "DataFrame", step: "TransformStep", as_of: datetime) -> "DataFrame":
    """The frame after one step; parameters and errors as in `transforms.transform`."""
    transforms.require_columns(step, [name for name in frame.columns if name not in INTERNAL])
    return _STEPS[step.type](frame, step, as_of)


def alive() -> Expr:
    """Whether a row is still on its way."""
    return functions().col(LOST).isNull() & functions().col(GONE).isNull()


def _with(frame: "DataFrame", columns: Mapping[str, Expr]) -> "DataFrame":
    return frame.withColumns(dict(columns))


def _drop(frame: "DataFrame", step: Any, as_of: datetime) -> "DataFrame":
    return frame.drop(*step.columns)


def _rename(frame: "DataFrame", step: Any, as_of: datetime) -> "DataFrame":
    return frame.withColumnsRenamed(dict(step.mapping))


def _cast(frame: "DataFrame", step: Any, as_of: datetime) -> "DataFrame":
    transforms.require_no_lists(step, {n: polars_type(frame.schema[n].dataType) for n in step.columns})
    return _with(frame, {n: typed(n, frame.schema[n].dataType, wanted) for n, wanted in step.columns.items()})


def _fill_null(frame: "DataFrame", step: Any, as_of: datetime) -> "DataFrame":
    require_constants(step, {n: polars_type(frame.schema[n].dataType) for n in step.values})
    f = functions()
    filled = {n: f.coalesce(quoted(n), f.lit(v).cast(frame.schema[n].dataType)) for n, v in step.values.items()}
    return _with(frame, filled)


def _filter(frame: "DataFrame", step: Any, as_of: datetime) -> "DataFrame":
    f = functions()
    kept = f.coalesce(rules.expression(step.condition, _schema(frame), as_of=as_of), f.lit(False))
    return frame.withColumn(GONE, f.when(alive() & ~kept, f.lit(step.type)).otherwise(f.col(GONE)))


def _derive(frame: "DataFrame", step: Any, as_of: datetime) -> "DataFrame":
    """Each expression sees the columns derived before it."""
    for name, expression in step.columns.items():
        frame = frame.withColumn(name, rules.expression(expression, _schema(frame), as_of=as_of))
    return frame


def _text(change: Callable[[Expr], Expr]) -> Step:
    def step_on_text(frame: "DataFrame", step: Any, as_of: datetime) -> "DataFrame":
        transforms.require_text(step, {n: frame.schema[n].dataType.simpleString() for n in step.columns}, "string")
        return _with(frame, {name: change(quoted(name)) for name in step.columns})

    return step_on_text


def _parse_date(frame: "DataFrame", step: Any, as_of: datetime) -> "DataFrame":
    wanted = "datetime" if step.datetime else "date"
    return _with(frame, {n: typed(n, frame.schema[n].dataType, wanted, step.format) for n in step.columns})


def _explode(frame: "DataFrame", step: Any, as_of: datetime) -> "DataFrame":
    """A row whose list is empty or null stays, with a null; so does, once, a row that is no longer on its way."""
    transforms.require_lists(step, {n: frame.schema[n].dataType.simpleString() for n in step.columns})
    f = functions()
    first, place = quoted(step.columns[0]), f.col("__at")
    unequal = balanced(or_, [f.size(quoted(name)) != f.size(first) for name in step.columns])
    wrong = f.raise_error(f.lit(f"LakeError: {transforms.unequal_lists(step)}"))
    parts = frame.select(
        "*", f.posexplode_outer(f.when(alive(), f.when(unequal, wrong).otherwise(first))).alias("__at", "__part")
    )
    values = {name: f.get(quoted(name), place) for name in step.columns}
    places = f.concat(f.col(PLACE), f.array(f.coalesce(place, f.lit(0))))
    return parts.withColumns({**values, PLACE: places}).drop("__at", "__part")


def _split(frame: "DataFrame", step: Any, as_of: datetime) -> "DataFrame":
    transforms.require_text(step, {step.column: frame.schema[step.column].dataType.simpleString()}, "string")
    f = functions()
    literal = "".join(f"\\x{{{ord(c):x}}}" for c in step.separator)
    parts = f.split(quoted(step.column), literal, len(step.into))
    return _with(frame, {name: f.get(parts, f.lit(i)) for i, name in enumerate(step.into)})


def _hash(frame: "DataFrame", step: Any, as_of: datetime) -> "DataFrame":
    transforms.require_no_lists(step, {n: polars_type(frame.schema[n].dataType) for n in step.columns})
    f = functions()
    salt = resolved(step.salt.get_secret_value()) if step.salt else ""
    texts = {name: typed(name, frame.schema[name].dataType, "string") for name in step.columns}
    return _with(frame, {name: f.sha2(f.concat(f.lit(salt), text), 256) for name, text in texts.items()})


def _schema(frame: "DataFrame") -> Any:
    return schema_of(frame.drop(*INTERNAL))


_STEPS: Mapping[str, Step] = {
    "drop_columns": _drop,
    "rename_columns": _rename,
    "cast": _cast,
    "fill_null": _fill_null,
    "filter": _filter,
    "derive": _derive,
    "trim": _text(lambda text: functions().btrim(text, functions().lit(" \t\r\n"))),
    "lower": _text(lambda text: functions().lower(text)),
    "upper": _text(lambda text: functions().upper(text)),
    "parse_date": _parse_date,
    "explode": _explode,
    "split": _split,
    "hash": _hash,
}
