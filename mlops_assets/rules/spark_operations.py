"""Every operation that needs nothing but its arguments, as a Spark column of columns.

The same names as in `polars_operations.py`. No row raises: overflow, division by zero and unreadable strings
are null, with ANSI mode on or off.
"""

from collections.abc import Callable
from operator import and_, or_
from typing import Any, TypeAlias

from mlops_assets.rules import iso_time
from mlops_assets.rules.balanced import balanced
from mlops_assets.rules.context import SPACES
from mlops_assets.rules.regex import Pattern

Expr: TypeAlias = Any  # pyspark.sql.Column, which costs seconds to import


def functions() -> Any:
    """Spark's functions, imported when the first rule is compiled."""
    from pyspark.sql import functions as found

    return found


def _mod_int(a: Expr, b: Expr) -> Expr:
    rest = functions().try_mod(a, b)
    return functions().when((rest != 0) & ((rest < 0) != (b < 0)), rest + b).otherwise(rest)


def _abs_int(a: Expr) -> Expr:
    return functions().when(a >= 0, a).otherwise(functions().try_subtract(functions().lit(0), a))


def _round_float(a: Expr, places: int) -> Expr:
    scaled = a * 10.0**places
    exact = functions().abs(scaled) < 2.0**52
    return functions().when(exact, functions().rint(scaled) / 10.0**places).otherwise(a)


def _matches(a: Expr, pattern: Pattern) -> Expr:
    return a.contains(pattern.literal) if pattern.literal is not None else a.rlike(pattern.java)


_WHOLE = rf"\A{iso_time.PATTERN}\z"


def _part(a: Expr, group: int) -> Expr:
    return functions().nullif(functions().regexp_extract(a, _WHOLE, group), functions().lit(""))


def _string_to_date(a: Expr) -> Expr:
    return _part(a, 1).try_cast("date")


def _string_to_datetime(a: Expr) -> Expr:
    f = functions()

    def number(group: int) -> Expr:
        return f.coalesce(_part(a, group).cast("bigint"), f.lit(0))

    seconds = number(2) * 3600 + number(3) * 60 + number(4)
    offset = number(7) * 3600 + number(8) * 60
    seconds = f.when(_part(a, 6) == "-", seconds + offset).otherwise(seconds - offset)
    fraction = f.coalesce(f.rpad(_part(a, 5), 6, "0").cast("bigint"), f.lit(0))
    days = f.unix_date(_string_to_date(a)).cast("bigint")
    return f.timestamp_micros(days * 86_400_000_000 + seconds * 1_000_000 + fraction).cast("timestamp_ntz")


def _is_unique(*keys: Expr) -> Expr:
    f = functions()
    return f.count_distinct(f.struct(*(k.alias(f"_{i}") for i, k in enumerate(keys)))) == f.count(f.lit(1))


def _exact_sum(a: Expr) -> Expr:
    return functions().sum(a.cast("decimal(38,0)"))


OPERATIONS: dict[str, Callable[..., Expr]] = {
    "and": lambda *conditions: balanced(and_, conditions),
    "or": lambda *conditions: balanced(or_, conditions),
    "not": lambda a: ~a,
    "is_null": lambda a: a.isNull(),
    "coalesce": lambda *values: functions().coalesce(*values),
    "eq": lambda a, b: a == b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "int_to_float": lambda a: a.cast("double"),
    "decimal_to_float": lambda a: a.cast("double"),
    "to_decimal": lambda a, scale: a.cast(f"decimal(38,{scale})"),
    "string_to_date": _string_to_date,
    "string_to_datetime": _string_to_datetime,
    "date_to_datetime": lambda a: a.cast("timestamp_ntz"),
    "naive_to_utc": lambda a: a.cast("timestamp"),
    "to_utc": lambda a: a,
    "add_int": lambda a, b: functions().try_add(a, b),
    "sub_int": lambda a, b: functions().try_subtract(a, b),
    "mul_int": lambda a, b: functions().try_multiply(a, b),
    "mod_int": _mod_int,
    "neg_int": lambda a: functions().try_subtract(functions().lit(0), a),
    "abs_int": _abs_int,
    "add_float": lambda a, b: a + b,
    "sub_float": lambda a, b: a - b,
    "mul_float": lambda a, b: a * b,
    "div_float": lambda a, b: functions().try_divide(a, b),
    "neg_float": lambda a: -a,
    "abs_float": lambda a: functions().abs(a),
    "round_float": _round_float,
    "length": lambda a: functions().length(a).cast("bigint"),
    "lower": lambda a: functions().lower(a),
    "upper": lambda a: functions().upper(a),
    "strip": lambda a: functions().btrim(a, functions().lit(SPACES)),
    "matches": _matches,
    "starts_with": lambda a, prefix: a.startswith(prefix),
    "ends_with": lambda a, suffix: a.endswith(suffix),
    "year": lambda a, zone: functions().year(a).cast("bigint"),
    "month": lambda a, zone: functions().month(a).cast("bigint"),
    "day": lambda a, zone: functions().dayofmonth(a).cast("bigint"),
    "hour": lambda a, zone: functions().hour(a).cast("bigint"),
    "dayofweek": lambda a, zone: functions().weekday(a).cast("bigint"),
    "date_of": lambda a, zone: a.cast("date"),
    "row_count": lambda: functions().count(functions().lit(1)),
    "null_count": lambda a: functions().count_if(a.isNull()),
    "n_unique": lambda a: functions().count_distinct(a),
    "is_unique": _is_unique,
    "min": lambda a: functions().min(a),
    "max": lambda a: functions().max(a),
    "sum_int": lambda a: _exact_sum(a).try_cast("bigint"),
    "sum_float": lambda a: functions().sum(a),
    "mean_int": lambda a: functions().try_divide(_exact_sum(a).cast("double"), functions().count(a)),
    "mean_float": lambda a: functions().try_divide(functions().sum(a), functions().count(a)),
}
