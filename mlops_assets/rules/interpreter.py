"""A reference interpreter of typed rules in plain Python, slow and obvious, to test both engines against.

A row is a mapping of column names to values. Inside, a datetime is its microseconds since 1970 (UTC, or the
clock's own without a zone), an unknown is None, and a float is never NaN.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from mlops_assets.rules import iso_time
from mlops_assets.rules.context import SPACES, EvaluationContext
from mlops_assets.rules.typed import Apply, Checked, Column, Constant, Typed
from mlops_assets.rules.types import Type

Row = Mapping[str, Any]
_DAY = 86_400_000_000


def evaluate(checked: Checked, rows: Sequence[Row], context: EvaluationContext) -> list[Any]:
    """The rule's value for each row, a table-level rule's repeated; `context.tables` holds lists of rows."""
    if checked.table_level:
        return [_value(checked.root, {}, rows, context)] * len(rows)
    return [_value(checked.root, row, rows, context) for row in rows]


def value_of(node: Typed, context: EvaluationContext) -> Any:
    """The value of a node that reads no column and no table."""
    return _value(node, {}, [], context)


def _value(node: Typed, row: Row, rows: Sequence[Row], context: EvaluationContext) -> Any:
    if isinstance(node, Constant):
        return node.value
    if isinstance(node, Column):
        return _column(node, row)
    if node.operation in AGGREGATES:
        columns = [[_value(argument, one, rows, context) for one in rows] for argument in node.arguments]
        return len(rows) if node.operation == "row_count" else AGGREGATES[node.operation](*columns)
    values = [_value(argument, row, rows, context) for argument in node.arguments]
    if node.operation in THREE_VALUED:
        return THREE_VALUED[node.operation](*values)
    if None in values:
        return None
    if node.operation in _WITH_CONTEXT:
        return _WITH_CONTEXT[node.operation](node, context, *values)
    return STRICT[node.operation](*values, *node.options)


def _column(node: Column, row: Row) -> Any:
    value = row[node.name]
    for name in node.path:
        value = None if value is None else value[name]
    return _canonical(value, node.type)


def _canonical(value: Any, type_: Type) -> Any:
    if value is None or (type_.kind == "float" and math.isnan(value)):
        return None
    if type_.kind == "int":
        return _int64(value)
    if type_.kind == "datetime":
        return iso_time.microseconds(value)
    return float(value) if type_.kind == "float" else value


def _int64(value: int) -> int | None:
    return value if -(2**63) <= value < 2**63 else None


def _float(value: float) -> float | None:
    return None if math.isnan(value) else value


def _and(*values: bool | None) -> bool | None:
    return False if False in values else None if None in values else True


def _or(*values: bool | None) -> bool | None:
    return True if True in values else None if None in values else False


def _eq_float(node: Apply, context: EvaluationContext, a: float, b: float) -> bool:
    if a == b:
        return True
    difference = abs(a - b)
    bound = max(1e-9 * abs(a), 1e-9 * abs(b), context.tolerance or 0.0)
    return math.isfinite(difference) and difference <= bound


def _round(a: float, places: int) -> float:
    scaled = a * 10.0**places
    return round(scaled) / 10.0**places if abs(scaled) < 2.0**52 else a


def _clock(moment: Any, zone: str | None) -> datetime:
    if isinstance(moment, date):
        return datetime(moment.year, moment.month, moment.day)
    naive = iso_time.EPOCH + timedelta(microseconds=moment)
    if zone in {None, "UTC"}:
        return naive
    return naive.replace(tzinfo=ZoneInfo("UTC")).astimezone(ZoneInfo(str(zone)))


def _in_table(node: Apply, context: EvaluationContext, a: Any) -> bool:
    table, _, member = node.options
    rows = context.tables[table]
    return any(a == found for found in (_value(member, row, rows, context) for row in rows) if found is not None)


def _known(values: Sequence[Any]) -> list[Any]:
    return [value for value in values if value is not None]


def _total(values: Sequence[float]) -> float | None:
    known = _known(values)
    return _float(sum(known)) if known else None


def _mean(values: Sequence[float]) -> float | None:
    known = _known(values)
    return _float(float(sum(known)) / len(known)) if known else None


THREE_VALUED: dict[str, Callable[..., Any]] = {
    "and": _and,
    "or": _or,
    "is_null": lambda a: a is None,
    "coalesce": lambda *values: next((v for v in values if v is not None), None),
}

_WITH_CONTEXT: dict[str, Callable[..., Any]] = {
    "eq_float": _eq_float,
    "in_list": lambda node, context, a: a in node.options,
    "in_table": _in_table,
    "current_date": lambda node, context: context.now.date(),
    "current_timestamp": lambda node, context: iso_time.microseconds(context.now),
    "current_wall_time": lambda node, context: iso_time.microseconds(context.now.replace(tzinfo=None)),
}

STRICT: dict[str, Callable[..., Any]] = {
    "not": lambda a: not a,
    "eq": lambda a, b: a == b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "int_to_float": float,
    "decimal_to_float": float,
    "to_decimal": lambda a, scale: Decimal(a),
    "string_to_date": iso_time.parse_date,
    "string_to_datetime": iso_time.parse_microseconds,
    "date_to_datetime": lambda a: (a.toordinal() - iso_time.EPOCH.toordinal()) * _DAY,
    "naive_to_utc": lambda a: a,
    "to_utc": lambda a: a,
    "add_int": lambda a, b: _int64(a + b),
    "sub_int": lambda a, b: _int64(a - b),
    "mul_int": lambda a, b: _int64(a * b),
    "mod_int": lambda a, b: None if b == 0 else a % b,
    "neg_int": lambda a: _int64(-a),
    "abs_int": lambda a: _int64(abs(a)),
    "add_float": lambda a, b: _float(a + b),
    "sub_float": lambda a, b: _float(a - b),
    "mul_float": lambda a, b: _float(a * b),
    "div_float": lambda a, b: None if b == 0 else _float(a / b),
    "neg_float": lambda a: -a,
    "abs_float": abs,
    "round_float": _round,
    "length": len,
    "lower": str.lower,
    "upper": str.upper,
    "strip": lambda a: a.strip(SPACES),
    "matches": lambda a, pattern: re.search(pattern.python, a) is not None,
    "starts_with": str.startswith,
    "ends_with": str.endswith,
    "year": lambda a, zone: _clock(a, zone).year,
    "month": lambda a, zone: _clock(a, zone).month,
    "day": lambda a, zone: _clock(a, zone).day,
    "hour": lambda a, zone: _clock(a, zone).hour,
    "dayofweek": lambda a, zone: _clock(a, zone).weekday(),
    "date_of": lambda a, zone: _clock(a, zone).date(),
}

AGGREGATES: dict[str, Callable[..., Any]] = {
    "row_count": len,
    "null_count": lambda values: len(values) - len(_known(values)),
    "n_unique": lambda values: len(set(_known(values))),
    "is_unique": lambda *keys: len(set(zip(*keys, strict=True))) == len(keys[0]),
    "min": lambda values: min(_known(values), default=None),
    "max": lambda values: max(_known(values), default=None),
    "sum_int": lambda values: _int64(sum(_known(values))) if _known(values) else None,
    "sum_float": _total,
    "mean_int": _mean,
    "mean_float": _mean,
}
