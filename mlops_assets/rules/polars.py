"""Typed rules as Polars expressions: one small function an operation.

NaN is null, whole numbers are 64 bits and null beyond, floats are float64, an unknown stays null.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import reduce
from itertools import takewhile
from typing import Any

import polars as pl

from mlops_assets.rules import checker, moments, typed
from mlops_assets.rules.regex import Pattern
from mlops_assets.rules.run import SPACES, Run
from mlops_assets.rules.typed import Apply, Checked, Column, Constant, Typed
from mlops_assets.rules.types import Schema, Type, schema_of

Expr = pl.Expr
_DATETIME = pl.Datetime("us")
_PLAIN: dict[str, Any] = {
    "int": pl.Int64(),
    "float": pl.Float64(),
    "string": pl.String(),
    "bool": pl.Boolean(),
    "date": pl.Date(),
}
_SMALL = {"Int8", "Int16", "Int32", "UInt8", "UInt16", "UInt32"}


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
    return _of_type(compile_rule(checked, Run(as_of, tolerance, tables)), checked.root)


def _of_type(compiled: Expr, root: Typed) -> Expr:
    return (
        compiled if isinstance(root, Column) or root.type.kind == "null" else compiled.cast(dtype(root.type))
    )


def compile_rule(checked: Checked, run: Run) -> Expr:
    """A checked rule as one expression; a table-level rule gives a single value."""
    return _compile(checked.root, run)


def _compile(node: Typed, run: Run) -> Expr:
    if isinstance(node, Constant):
        return _constant(node)
    if isinstance(node, Column):
        return _column(node)
    arguments = [_compile(argument, run) for argument in node.arguments]
    if node.operation not in _NAN_STAYS_WITHIN:
        arguments = [_known(n, a) for n, a in zip(node.arguments, arguments, strict=True)]
    bound = _BOUND.get(node.operation)
    return bound(node, run, *arguments) if bound else OPERATIONS[node.operation](*arguments, *node.options)


def _constant(node: Constant) -> Expr:
    if node.type.kind == "datetime" and node.value is not None:
        return pl.lit(moments.EPOCH + timedelta(microseconds=node.value), _DATETIME).dt.replace_time_zone(
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


def _known(node: Typed, value: Expr) -> Expr:
    """A float's NaN as null."""
    may_be_nan = isinstance(node, Column) or getattr(node, "operation", "") in _NAN_STAYS
    return pl.when(value.is_not_nan()).then(value) if node.type.kind == "float" and may_be_nan else value


def _narrow(value: Expr) -> Expr:
    return value.cast(pl.Int64, strict=False)


def _wide(value: Expr) -> Expr:
    return value.cast(pl.Int128)


def _when(condition: Expr, value: Expr) -> Expr:
    return pl.when(condition).then(value)


def _eq_float(node: Apply, run: Run, a: Expr, b: Expr) -> Expr:
    """|a - b| <= max(1e-9 * max(|a|, |b|), tolerance), where infinities equal only themselves."""
    return (a == b) | (
        (a - b).abs().is_finite() & ((a - b).abs() <= _bound(node, run.tolerance or 0.0, a, b))
    )


def _bound(node: Apply, tolerance: float, a: Expr, b: Expr) -> Expr:
    fixed = [n.value for n in node.arguments if isinstance(n, Constant) and n.value is not None]
    sides = [
        x.abs() * 1e-9 for x, n in zip((a, b), node.arguments, strict=True) if not isinstance(n, Constant)
    ]
    floor = max([tolerance, *(abs(value) * 1e-9 for value in fixed)])
    return pl.max_horizontal(*sides, pl.lit(floor)) if sides else pl.lit(floor)


def _mod_int(a: Expr, b: Expr) -> Expr:
    safe = pl.when((b != 0) & (b != -1)).then(b)
    return pl.when((b == -1) & a.is_not_null()).then(pl.lit(0, pl.Int64)).otherwise(a % safe)


def _round_float(a: Expr, places: int) -> Expr:
    scaled = a * 10.0**places
    exact = scaled.abs() < 2.0**52
    return pl.when(exact).then(scaled.round(0) / 10.0**places).otherwise(a)


def _decimal_to_float(a: Expr) -> Expr:
    # Through the digits: scaling a wide integer by a power of ten rounds twice.
    return a.cast(pl.String).cast(pl.Float64)


def _matches(a: Expr, pattern: Pattern) -> Expr:
    if pattern.literal is not None:
        return a.str.contains(pattern.literal, literal=True)
    return a.str.contains(pattern.rust)


def _string_to_date(a: Expr) -> Expr:
    return a.str.extract(_WHOLE, 1).str.to_date("%Y-%m-%d", strict=False)


def _string_to_datetime(a: Expr) -> Expr:
    def part(group: int) -> Expr:
        return a.str.extract(_WHOLE, group)

    def number(group: int) -> Expr:
        return part(group).cast(pl.Int64).fill_null(0)

    seconds = number(2) * 3600 + number(3) * 60 + number(4)
    offset = number(7) * 3600 + number(8) * 60
    seconds = pl.when(part(6) == "-").then(seconds + offset).otherwise(seconds - offset)
    fraction = part(5).str.pad_end(6, "0").cast(pl.Int64).fill_null(0)
    day = _string_to_date(a).cast(_DATETIME)
    return day + pl.duration(microseconds=seconds * 1_000_000 + fraction)


_WHOLE = rf"\A{moments.PATTERN}\z"


def _date_part(name: str) -> Callable[[Expr, str | None], Expr]:
    def part(a: Expr, zone: str | None) -> Expr:
        found: Expr = getattr(a.dt, name)()
        return found.cast(pl.Int64)

    return part


def _day_of_week(a: Expr, zone: str | None) -> Expr:
    return a.dt.weekday().cast(pl.Int64) - 1


def _n_unique(a: Expr) -> Expr:
    return a.drop_nulls().n_unique().cast(pl.Int64)


def _is_unique(*keys: Expr) -> Expr:
    return pl.struct(*(k.alias(str(i)) for i, k in enumerate(keys))).n_unique() == pl.len()


def _sum_or_null(total: Callable[[Expr], Expr]) -> Callable[[Expr], Expr]:
    return lambda a: _when(a.count() > 0, total(a))


def _in_table(node: Apply, run: Run, a: Expr) -> Expr:
    table, _, member = node.options
    frame = run.tables[table]
    found = frame.lazy().select(_compile(member, run).alias("_")).unique().drop_nulls().collect().to_series()
    return _when(a.is_not_null(), _is_in(node, a, found))


def _in_list(node: Apply, run: Run, a: Expr) -> Expr:
    members = [_constant(Constant(value, node.arguments[0].type)) for value in node.options]
    return _is_in(node, a, pl.select(pl.concat(members)).to_series())


def _is_in(node: Apply, a: Expr, members: pl.Series) -> Expr:
    found = a.is_in(members.implode())
    # Polars takes the list for a column where nothing else is one.
    return found if _reads_a_column(node) else found.first()


def _reads_a_column(node: Typed) -> bool:
    return any(isinstance(part, Column) for part in typed.walk(node))


def _coalesce(node: Apply, run: Run, *values: Expr) -> Expr:
    # Polars gives one value where the first argument is one, whatever the others are.
    fixed = len(list(takewhile(lambda n: not _reads_a_column(n), node.arguments)))
    rest = pl.coalesce(*values[fixed:]) if values[fixed:] else pl.lit(None, dtype(node.type))
    for value in reversed(values[:fixed]):
        rest = pl.when(value.is_not_null()).then(value).otherwise(rest)
    return rest


def _current_date(node: Apply, run: Run) -> Expr:
    return pl.lit(run.now.date(), pl.Date)


def _current_timestamp(node: Apply, run: Run) -> Expr:
    return pl.lit(run.now.astimezone(UTC).replace(tzinfo=None), _DATETIME).dt.replace_time_zone("UTC")


def _current_wall_time(node: Apply, run: Run) -> Expr:
    return pl.lit(run.now.replace(tzinfo=None), _DATETIME)


# Arithmetic carries NaN along, so that one test at its end finds every unknown.
_NAN_STAYS = frozenset(
    {f"{name}_float" for name in ("add", "sub", "mul", "div", "neg", "abs", "round", "sum", "mean")}
)
_NAN_STAYS_WITHIN = _NAN_STAYS - {"sum_float", "mean_float"}

# Operations that need the run or their own node.
_BOUND: dict[str, Callable[..., Expr]] = {
    "eq_float": _eq_float,
    "coalesce": _coalesce,
    "in_list": _in_list,
    "in_table": _in_table,
    "current_date": _current_date,
    "current_timestamp": _current_timestamp,
    "current_wall_time": _current_wall_time,
}

OPERATIONS: dict[str, Callable[..., Expr]] = {
    "and": lambda *conditions: reduce(lambda a, b: a & b, conditions),
    "or": lambda *conditions: reduce(lambda a, b: a | b, conditions),
    "not": lambda a: ~a,
    "is_null": lambda a: a.is_null(),
    "eq": lambda a, b: a == b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "int_to_float": lambda a: a.cast(pl.Float64),
    "decimal_to_float": _decimal_to_float,
    "to_decimal": lambda a, scale: a.cast(pl.Decimal(38, scale)),
    "string_to_date": _string_to_date,
    "string_to_datetime": _string_to_datetime,
    "date_to_datetime": lambda a: a.cast(_DATETIME),
    "naive_to_utc": lambda a: a.dt.replace_time_zone("UTC"),
    "to_utc": lambda a: a.dt.convert_time_zone("UTC"),
    "add_int": lambda a, b: _narrow(_wide(a) + _wide(b)),
    "sub_int": lambda a, b: _narrow(_wide(a) - _wide(b)),
    "mul_int": lambda a, b: _narrow(_wide(a) * _wide(b)),
    "mod_int": _mod_int,
    "neg_int": lambda a: _narrow(pl.lit(0, pl.Int128) - _wide(a)),
    "abs_int": lambda a: _narrow(_wide(a).abs()),
    "add_float": lambda a, b: a + b,
    "sub_float": lambda a, b: a - b,
    "mul_float": lambda a, b: a * b,
    "div_float": lambda a, b: _when(b != 0.0, a / b),
    "neg_float": lambda a: -a,
    "abs_float": lambda a: a.abs(),
    "round_float": _round_float,
    "length": lambda a: a.str.len_chars().cast(pl.Int64),
    "lower": lambda a: a.str.to_lowercase(),
    "upper": lambda a: a.str.to_uppercase(),
    "strip": lambda a: a.str.strip_chars(SPACES),
    "matches": _matches,
    "starts_with": lambda a, prefix: a.str.starts_with(prefix),
    "ends_with": lambda a, suffix: a.str.ends_with(suffix),
    "year": _date_part("year"),
    "month": _date_part("month"),
    "day": _date_part("day"),
    "hour": _date_part("hour"),
    "dayofweek": _day_of_week,
    "date_of": lambda a, zone: a.dt.date(),
    "row_count": lambda: pl.len().cast(pl.Int64),
    "null_count": lambda a: a.null_count().cast(pl.Int64),
    "n_unique": _n_unique,
    "is_unique": _is_unique,
    "min": lambda a: a.min(),
    "max": lambda a: a.max(),
    "sum_int": _sum_or_null(lambda a: _narrow(_wide(a).sum())),
    "sum_float": _sum_or_null(lambda a: a.sum()),
    "mean_int": _sum_or_null(lambda a: _wide(a).sum().cast(pl.Float64) / a.count()),
    "mean_float": _sum_or_null(lambda a: a.sum() / a.count()),
}
