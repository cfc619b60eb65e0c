"""What a rule means: unknowns, NaN, overflow, division, equality of floats, names, time, tables."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from mlops_assets.rules import RuleError, evaluate
from mlops_assets.rules.polars import expression
from mlops_assets.rules.types import schema_of

NAN, INF = float("nan"), float("inf")


def frame(**columns: Any) -> pl.DataFrame:
    return pl.DataFrame(columns)


def values(text: str, data: pl.DataFrame, **options: Any) -> list[Any]:
    return data.select(expression(text, schema_of(data), **options).alias("value"))["value"].to_list()


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("18 <= age <= 65", [True, False, False]),
        ("not (age > 30)", [True, False, False]),
        ("age is null or age > 30", [False, True, True]),
        ("AGE_1 > 3 AND Brand IS NOT NULL", [True, True, False]),
        ("order_id in (1, 2)", [True, True, False]),
        ("order_id NOT IN [1]", [False, True, True]),
        ("brand == 'x' or notes == \"y\"", [True, True, False]),
        ("score\n  >\n\t0.5", [True, False, True]),
    ],
)
def test_keywords_are_whole_words_in_any_case(condition: str, expected: list[bool]) -> None:
    data = frame(
        age=[20, 70, None], AGE_1=[4, 5, 6], Brand=["b", "c", None], order_id=[1, 2, 3],
        brand=["x", "z", None], notes=[None, "y", "z"], score=[0.9, None, 0.6],
    )  # fmt: skip
    assert evaluate(condition, data) == expected


def test_an_unknown_fails_under_not_as_well() -> None:
    data = frame(x=[1, None])
    assert evaluate("x > 0", data) == [True, False]
    assert evaluate("not x > 0", data) == [False, False]
    assert values("x > 0", data) == [True, None]


def test_kleene_logic_decides_where_one_side_is_enough() -> None:
    data = frame(x=[None, None], y=[True, False]).cast({"x": pl.Boolean})
    assert values("x or y", data) == [True, None]
    assert values("x and y", data) == [None, False]


def test_nan_is_null_everywhere() -> None:
    data = frame(x=[NAN, 1.0, None])
    assert values("x > 0", data) == [None, True, None]
    assert values("x is null", data) == [True, False, True]
    assert values("coalesce(x, 5.0)", data) == [5.0, 1.0, 5.0]
    assert values("x + 1", data) == [None, 2.0, None]
    assert values("null_count(x)", data) == [2]
    assert values("max(x)", data) == [1.0]


def test_nan_that_arithmetic_makes_is_unknown_too() -> None:
    data = frame(x=[INF, -INF])
    assert values("x - x", data) == [None, None]
    assert values("(x - x) is null", data) == [True, True]


def test_division_and_remainder_by_zero_are_unknown() -> None:
    data = frame(x=[1, 0, -7], y=[0.0, -0.0, 2.0], z=[0, 0, 3])
    assert values("x / y", data) == [None, None, -3.5]
    assert values("x / z", data) == [None, None, -7 / 3]
    assert values("x % z", data) == [None, None, 2]


@pytest.mark.parametrize(("a", "b", "rest"), [(7, 3, 1), (-7, 3, 2), (7, -3, -2), (-7, -3, -1), (-(2**63), -1, 0)])
def test_a_remainder_has_the_sign_of_the_divisor(a: int, b: int, rest: int) -> None:
    assert values("a % b", frame(a=[a], b=[b])) == [rest]


@pytest.mark.parametrize(
    "text", ["big + 1", "big * 2", "0 - big - 2", "-low", "abs(low)", "low - 1", "sum(big)", "big * big * 0"]
)
def test_a_whole_number_beyond_64_bits_is_unknown(text: str) -> None:
    data = pl.DataFrame({"big": [2**63 - 1, 2**63 - 1], "low": [-(2**63), -(2**63)]})
    assert set(values(text, data)) == {None}


def test_an_unsigned_number_beyond_64_bits_is_unknown() -> None:
    data = pl.DataFrame({"x": pl.Series([1, 2**64 - 1], dtype=pl.UInt64)})
    assert values("x >= 0", data) == [True, None]


def test_equality_of_floats_forgives_rounding_and_a_stated_tolerance() -> None:
    data = frame(x=[0.1 + 0.2, 0.3001, INF, 1e-12, None])
    assert evaluate("x == 0.3", data) == [True, False, False, False, False]
    assert evaluate("x != 0.3", data) == [False, True, True, True, False]
    assert evaluate("x == 0.3", data, tolerance=0.001) == [True, True, False, False, False]
    assert evaluate("x in [0.3, 5]", data) == [True, False, False, False, False]


@pytest.mark.parametrize(("written", "divisor"), [("3", 3), ("10", 10), ("7.0", 7.0), ("-0.1", -0.1), ("(2 * 5)", 10)])
def test_a_division_by_a_number_is_right_to_the_last_bit(written: str, divisor: float) -> None:
    numbers = [n / 8 for n in range(1, 1000)]
    assert values(f"x / {written}", frame(x=numbers)) == [n / divisor for n in numbers]


def test_rounding_what_is_round_changes_no_bit() -> None:
    assert values("round(x, 5)", frame(x=[25.0, 0.3, 7.0, 1.1])) == [25.0, 0.3, 7.0, 1.1]


def test_infinities_equal_themselves_and_nothing_else() -> None:
    data = frame(x=[INF, -INF, INF], y=[INF, INF, 1.0])
    assert evaluate("x == y", data) == [True, False, False]


def test_the_price_rule_needs_a_tolerance_for_cents() -> None:
    data = frame(total_price=[17.99, 18.5], quantity=[3, 3], unit_price=[6.31, 6.31], discount_rate=[0.05, 0.05])
    rule = "total_price == (quantity * unit_price) * (1 - discount_rate)"
    assert evaluate(rule, data) == [False, False]
    assert evaluate(rule, data, tolerance=0.01) == [True, False]


def test_whole_numbers_and_decimals_compare_exactly() -> None:
    data = pl.DataFrame({"n": [2**53 + 1], "d": [Decimal("0.30")]}, schema={"n": pl.Int64, "d": pl.Decimal(10, 2)})
    assert evaluate(f"n == {2**53}", data) == [False]
    assert evaluate(f"n > {2**53}", data) == [True]
    assert values("d * 3", data) == [0.3 * 3]
    assert evaluate("d < 1 and d != 0", data) == [True]


def test_rounding_is_to_the_even_neighbour() -> None:
    assert values("round(x, 0)", frame(x=[0.5, 1.5, 2.5, -0.5, 1e300, INF])) == [
        0.0,
        2.0,
        2.0,
        -0.0,
        1e300,
        INF,
    ]
    assert values("round(x, 1)", frame(x=[0.25, 0.35])) == [0.2, 0.4]
    assert values("round(n, 2)", frame(n=[5])) == [5]


def test_lengths_count_code_points() -> None:
    data = frame(s=["", "é", "😀b", None])
    assert values("length(s)", data) == values("s.str.len()", data) == [0, 1, 2, None]


def test_strip_takes_every_white_space() -> None:
    assert values("s.str.strip()", frame(s=[" \u00a0a b\u2003\n"])) == ["a b"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("b", [True, True, True, False]),
        ("b$", [True, False, False, False]),
        ("^b", [False, False, True, False]),
        ("a.b", [False, False, False, False]),
        (r"\d", [False, False, False, False]),
        (r"^[^@]+@[^@]+\.[a-z]{2,}$", [False, False, False, True]),
        (r"\bb", [False, True, True, False]),
    ],
)
def test_a_pattern_means_the_same_on_every_engine(pattern: str, expected: list[bool]) -> None:
    data = frame(s=["ab", "a\nb\n", "b٣", "x@y.com"])
    assert evaluate(f"s.str.contains('{pattern}')", data) == expected


def test_match_is_anchored_at_the_start_and_fullmatch_at_both_ends() -> None:
    data = frame(s=["ab", "abc", "cab"])
    assert evaluate("s.str.match('ab|x')", data) == [True, True, False]
    assert evaluate("s.str.fullmatch('ab|x')", data) == [True, False, False]
    assert evaluate("s.str.startswith('a.')", data) == [False, False, False]
    assert evaluate("s.str.endswith('ab')", data) == [True, False, True]


def test_escapes_in_strings() -> None:
    data = frame(s=["it's", "a\tb", "\u00e9", "\\", "a\nb"])
    assert evaluate(r"s == 'it\'s'", data)[0]
    assert evaluate(r"s == 'a\tb'", data)[1]
    assert evaluate(r"s == '\u00e9' or s == '\xe9'", data)[2]
    assert evaluate(r"s == '\\'", data)[3]
    assert evaluate("s == 'a\nb'", data)[4]


def test_a_string_beside_a_date_is_read_as_one() -> None:
    data = frame(s=["2020-01-31", "2020-02-30", "20 Jan", "2020-01-31T23:59:59", None], d=[date(2020, 1, 31)] * 5)
    assert values("s == d", data) == [True, None, None, True, None]
    assert values("s < current_date()", data, as_of=datetime(2020, 2, 1, tzinfo=UTC)) == [
        True,
        None,
        None,
        True,
        None,
    ]
    assert values("d > '2020-01-30'", data) == [True] * 5


def test_a_date_beside_a_datetime_is_its_midnight_and_zones_compare_as_instants() -> None:
    berlin = pl.Series([datetime(2024, 7, 1, 0, 30)]).dt.replace_time_zone("Europe/Berlin")
    data = pl.DataFrame({"t": [datetime(2024, 7, 1)], "d": [date(2024, 7, 1)], "z": berlin})
    assert values("t == d", data) == [True]
    assert values("z == '2024-06-30T22:30Z'", data) == [True]
    assert values("z < t", data) == [True]
    assert values("z.dt.hour", data) == [0]


def test_parts_of_a_moment() -> None:
    data = frame(t=[datetime(2024, 2, 29, 13, 5)], d=[date(1, 1, 1)])
    assert [values(f"t.dt.{p}", data)[0] for p in ("year", "month", "day", "hour")] == [2024, 2, 29, 13]
    assert values("t.dt.date", data) == [date(2024, 2, 29)]
    assert values("t.dt.dayofweek", data) == [3]
    assert values("d.dt.dayofweek", data) == [0]


def test_today_is_the_day_of_the_as_of_instant_in_its_own_zone() -> None:
    data = frame(d=[date(2024, 3, 1)], t=[datetime(2024, 3, 1, 4)])
    as_of = datetime(2024, 3, 1, 4, 0, tzinfo=timezone(timedelta(hours=5)))
    assert values("current_date()", data, as_of=as_of) == [date(2024, 3, 1)]
    assert values("d == current_date()", data, as_of=as_of) == [True]
    assert values("t == current_timestamp()", data, as_of=as_of) == [True]
    assert values("current_timestamp() == '2024-02-29T23:00Z'", data, as_of=as_of) == [True]
    with pytest.raises(ValueError, match="aware"):
        evaluate("d == current_date()", data, as_of=datetime(2024, 3, 1))


def test_a_dotted_name_is_a_column_a_field_or_a_column_of_the_table() -> None:
    assert evaluate("customers.id is not null", pl.DataFrame({"customers.id": [1, None]})) == [True, False]
    assert evaluate("customers.id is not null", frame(customers=[{"id": 1}, {"id": None}, None])) == [
        True,
        False,
        False,
    ]
    assert evaluate("customers.id is not null", frame(id=[1, None]), table="customers") == [True, False]
    assert evaluate("customers.address.city == 'x'", frame(customers=[{"address": {"city": "x"}}])) == [True]


def test_an_ambiguous_name_is_refused_and_back_ticks_settle_it() -> None:
    data = pl.DataFrame({"a.b": [1], "a": [{"b": 2}]})
    with pytest.raises(RuleError, match="ambiguous"):
        evaluate("a.b == 1", data)
    assert evaluate("`a.b` == 1", data) == [True]


@pytest.mark.parametrize("name", ["unit price", "and", "^x$", "*", "é", "a.b", "row_count", "null", "x-y"])
def test_back_ticks_name_any_column(name: str) -> None:
    data = pl.DataFrame({name: [1, None], "other": [2, 2]})
    assert evaluate(f"`{name}` == 1", data) == [True, False]


def test_membership_in_another_table_ignores_its_nulls_and_leaves_a_null_unknown() -> None:
    data, planes = frame(tailnum=["a", "b", None]), frame(tailnum=["a", None])
    assert values("tailnum in planes.tailnum", data, tables={"planes": planes}) == [True, False, None]
    assert values("tailnum not in planes.tailnum", data, tables={"planes": planes.lazy()}) == [
        False,
        True,
        None,
    ]


def test_table_level_rules_repeat_one_verdict() -> None:
    data = frame(a=[1, 1, None], b=["x", "y", "y"], f=[0.5, NAN, 1.5])
    for rule in ["row_count == 3", "column_count < 5", "null_count(a) == 1", "null_rate(f) < 0.34",
                 "n_unique(a) == 1",
                 "is_unique(a, b)", "not is_unique(b)", "mean(f) == 1", "sum(a) == 2", "min(b) == 'x'",
                 "max(f) - min(f) == 1"]:  # fmt: skip
        assert evaluate(rule, data) == [True] * 3, rule


def test_a_condition_without_columns_holds_for_every_row() -> None:
    assert evaluate("1 < 2", frame(a=[1, 2])) == [True, True]
    assert evaluate("'x' in ['y']", frame(a=[1, 2])) == [False, False]


@pytest.mark.parametrize("rule", ["a > 0", "row_count > 5", "1 < 2", "a in [1]", "null_rate(a) < 0.5"])
def test_a_frame_without_rows_has_no_verdicts(rule: str) -> None:
    assert evaluate(rule, frame(a=[1]).clear()) == []


def test_a_column_of_nulls_without_a_type_fits_anywhere() -> None:
    data = pl.DataFrame({"a": [None, None], "b": [1, 2]})
    for rule in [
        "a > 0",
        "a.str.contains('x')",
        "a.dt.year == 2020",
        "a in [1]",
        "a + b > 0",
        "not a",
        "a and b > 0",
    ]:
        assert evaluate(rule, data) == [False, False], rule
    assert evaluate("a is null", data) == [True, True]


def test_a_lazy_frame_is_read_as_well() -> None:
    assert evaluate("a > 1", frame(a=[1, 2]).lazy()) == [False, True]


def test_a_constant_before_an_unknown_column_still_gives_a_verdict_for_every_row() -> None:
    data = frame(x=[1, 2, 3])
    assert values("3 != 1 % (x - x)", data) == [None, None, None]
    assert values("3.0 == 1 / (x - x)", data) == [None, None, None]
