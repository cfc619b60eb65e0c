"""Typed rules as Polars expressions: columns, constants and what an operation needs of the context.

NaN is null, whole numbers are 64 bits and null beyond, floats are float64, an unknown stays null.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import reduce
from itertools import takewhile
from operator import eq, ge, gt, le, lt, or_
from typing import Any

import polars as pl

from mlops_assets.rules import checker, iso_time, typed
from mlops_assets.rules.balanced import balanced
from mlops_assets.rules.constant_folding import fold_constants
from mlops_assets.rules.context import EvaluationContext
from mlops_assets.rules.polars_nan import TAKES_NAN, known, where_known
from mlops_assets.rules.polars_operations import OPERATIONS
from mlops_assets.rules.typed import Apply, Checked, Column, Constant, Typed
from mlops_assets.rules.types import Schema, Type, schema_of

Expr = pl.Expr
Comparison = Callable[[Expr, Expr], Expr]
_DATETIME = pl.Datetime("us")
_SHORT_LIST = 8  # members of a list that are sooner compared one by one than looked up
_PLAIN: dict[str, Any] = {
    "int": pl.Int64(),
    "float": pl.Float64(),
    "string": pl.String(),
    "bool": pl.Boolean(),
    "date": pl.Date(),
}


def dtype(type_: Type) -> pl.DataType:
    """The Polars dtype in which values of a rule type are computed."""
    if type_.kind == "datetime":
        return pl.Datetime("us", type_.zone)
    if type_.kind == "decimal":
        return pl.Decimal(type_.precision, type_.scale)
    plain: pl.DataType = _PLAIN.get(type_.kind, pl.Null())
    return plain


def expression(
    text: str,
    schema: Schema,
    *,
    as_of: datetime | None = None,
    tolerance: float | None = None,
    table: str | None = None,
    tables: Mapping[str, Any] | None = None,
) -> Expr:
    """Any value expression as a Polars expression, for filters and derived columns; an unknown is null."""
    tables = tables or {}
    schemas = {name: schema_of(frame) for name, frame in tables.items()}
    checked = checker.value(text, schema, table=table, tables=schemas)
    return compile_rule(checked, EvaluationContext(as_of, tolerance, tables))


def compile_rule(checked: Checked, context: EvaluationContext) -> Expr:
    """A checked rule as one expression; a table-level rule gives a single value."""
    root = fold_constants(checked, context)
    return known(root, _compile(root, context))


def verdicts(frame: pl.LazyFrame, rules: Sequence[Expr]) -> pl.DataFrame:
    """One column per rule and one row per row of the frame, in one pass of the streaming engine.

    Its morsels stay in the processor's cache, where whole columns of intermediate values would not. A column more
    than the rules stretches those that read none to the frame's height.
    """
    height = [pl.nth(0).is_null().alias("row")] if frame.collect_schema() else []
    return frame.select(*height, *rules).collect(engine="streaming")


def _compile(node: Typed, context: EvaluationContext) -> Expr:
    if isinstance(node, Constant):
        return _constant(node)
    if isinstance(node, Column):
        return _column(node)
    arguments = [_compile(argument, context) for argument in node.arguments]
    if node.operation not in TAKES_NAN:
        arguments = [known(n, a) for n, a in zip(node.arguments, arguments, strict=True)]
    bound = _WITH_CONTEXT.get(node.operation)
    return bound(node, context, *arguments) if bound else OPERATIONS[node.operation](*arguments, *node.options)


def _constant(node: Constant) -> Expr:
    if node.type.kind == "datetime" and node.value is not None:
        return pl.lit(iso_time.EPOCH + timedelta(microseconds=node.value), _DATETIME).dt.replace_time_zone(
            node.type.zone
        )
    return pl.lit(node.value, dtype(node.type))


def _column(node: Column) -> Expr:
    odd = node.name == "*" or node.name.startswith("^")
    found = pl.selectors.by_name(node.name).as_expr() if odd else pl.col(node.name)
    for name in node.path:
        found = found.struct.field(name)
    return _canonical(found, node.type)


def _canonical(found: Expr, type_: Type) -> Expr:
    """A stored column in the dtype the language computes in, cast only where it is another."""
    if type_.kind == "float":
        return found if type_.stored == "Float64" else found.cast(pl.Float64)
    if type_.kind == "int":
        return found if type_.stored == "Int64" else found.cast(pl.Int64, strict=False)
    if type_.kind == "string":
        return found if type_.stored == "String" else found.cast(pl.String)
    if type_.kind == "datetime":
        return found if "'us'" in type_.stored else found.cast(dtype(type_))
    return found


def _compared(compare: Comparison, turned: Comparison) -> Callable[..., Expr]:
    """A comparison, its constant turned to the right: left of nulls alone, Polars gives one row for all."""

    def form(node: Apply, context: EvaluationContext, a: Expr, b: Expr) -> Expr:
        test = turned(b, a) if isinstance(node.arguments[0], Constant) else compare(a, b)
        return where_known(node, test, a, b)

    return form


def _eq_float(node: Apply, context: EvaluationContext, a: Expr, b: Expr) -> Expr:
    """|a - b| <= max(1e-9 * max(|a|, |b|), tolerance), where infinities equal only themselves."""
    difference = (a - b).abs()
    near = reduce(or_, [difference <= bound for bound in _bounds(node, context.tolerance or 0.0, a, b)])
    same = b == a if isinstance(node.arguments[0], Constant) else a == b
    return where_known(node, same | (near & (difference < float("inf"))), a, b)


def _bounds(node: Apply, tolerance: float, a: Expr, b: Expr) -> list[Expr]:
    """What the difference may be: relative to each side, constants and the tolerance made one number."""
    fixed = [abs(n.value) * 1e-9 for n in node.arguments if isinstance(n, Constant)]
    floor = max([tolerance, *fixed])
    sides = [x.abs() * 1e-9 for x, n in zip((a, b), node.arguments, strict=True) if not isinstance(n, Constant)]
    return [*sides, pl.lit(floor)] if floor else sides or [pl.lit(0.0)]


def _in_table(node: Apply, context: EvaluationContext, a: Expr) -> Expr:
    table, _, member = node.options
    frame = context.tables[table]
    found = frame.lazy().select(_compile(member, context).alias("_")).unique().drop_nulls().collect().to_series()
    return pl.when(a.is_not_null()).then(_is_in(node, a, found))


def _in_list(node: Apply, context: EvaluationContext, a: Expr) -> Expr:
    members = [_constant(Constant(value, node.arguments[0].type)) for value in node.options]
    if len(members) <= _SHORT_LIST and _reads_a_column(node):
        return balanced(or_, [a == member for member in members])
    return _is_in(node, a, pl.select(pl.concat(members)).to_series())


def _is_in(node: Apply, a: Expr, members: pl.Series) -> Expr:
    found = a.is_in(members.implode())
    # Polars takes the list for a column where nothing else is one.
    return found if _reads_a_column(node) else found.first()


def _reads_a_column(node: Typed) -> bool:
    return any(isinstance(part, Column) for part in typed.walk(node))


def _coalesce(node: Apply, context: EvaluationContext, *values: Expr) -> Expr:
    # Polars gives one value where the first argument is one, whatever the others are.
    fixed = len(list(takewhile(lambda n: not _reads_a_column(n), node.arguments)))
    rest = pl.coalesce(*values[fixed:]) if values[fixed:] else pl.lit(None, dtype(node.type))
    for value in reversed(values[:fixed]):
        rest = pl.when(value.is_not_null()).then(value).otherwise(rest)
    return rest


# Operations that need the run or their own node.
_WITH_CONTEXT: dict[str, Callable[..., Expr]] = {
    "eq": _compared(eq, eq),
    "lt": _compared(lt, gt),
    "le": _compared(le, ge),
    "eq_float": _eq_float,
    "coalesce": _coalesce,
    "in_list": _in_list,
    "in_table": _in_table,
}
