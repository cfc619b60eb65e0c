"""Every operation that needs nothing but its arguments, as a Polars expression of expressions.

Whole numbers are null beyond 64 bits; floats may be NaN for an unknown until `polars.py` makes it null.
"""

from collections.abc import Callable
from operator import and_, or_

import polars as pl

from mlops_assets.rules import iso_time
from mlops_assets.rules.balanced import balanced
from mlops_assets.rules.context import SPACES
from mlops_assets.rules.regex import Pattern

Expr = pl.Expr
_DATETIME = pl.Datetime("us")


def _narrow(value: Expr) -> Expr:
    return value.cast(pl.Int64, strict=False)


def _wide(value: Expr) -> Expr:
    return value.cast(pl.Int128)


def _when(condition: Expr, value: Expr) -> Expr:
    return pl.when(condition).then(value)


def _mod_int(a: Expr, b: Expr) -> Expr:
    safe = pl.when((b != 0) & (b != -1)).then(b)
    return pl.when((b == -1) & a.is_not_null()).then(pl.lit(0, pl.Int64)).otherwise(a % safe)


def _quotient(a: Expr, b: Expr) -> Expr:
    """`a / b` to the last bit; a NaN in `a` stays one."""
    # Polars multiplies by the reciprocal of a divisor that is one value for all rows, which is often a bit off.
    return a / (b + a.is_nan().cast(pl.Float64))


def _round_float(a: Expr, places: int) -> Expr:
    scaled = a * 10.0**places
    exact = scaled.abs() < 2.0**52
    return pl.when(exact).then(_quotient(scaled.round(0), pl.lit(10.0**places))).otherwise(a)


def _decimal_to_float(a: Expr) -> Expr:
    # Through the digits: scaling a wide integer by a power of ten rounds twice.
    return a.cast(pl.String).cast(pl.Float64)


def _matches(a: Expr, pattern: Pattern) -> Expr:
    if pattern.literal is not None:
        return a.str.contains(pattern.literal, literal=True)
    return a.str.contains(pattern.rust)


_WHOLE = rf"\A{iso_time.PATTERN}\z"


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


OPERATIONS: dict[str, Callable[..., Expr]] = {
    "and": lambda *conditions: balanced(and_, conditions),
    "or": lambda *conditions: balanced(or_, conditions),
    "not": lambda a: ~a,
    "is_null": lambda a: a.is_null(),
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
    "div_float": lambda a, b: _when(b != 0.0, _quotient(a, b)),
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
