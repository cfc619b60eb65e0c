"""Random frames and random well-typed expressions over them, for holding engines against the interpreter."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from random import Random
from typing import Any

import polars as pl
from hypothesis import strategies as st

AS_OF = datetime(2024, 2, 29, 22, 30, 15, 250_000, tzinfo=timezone(timedelta(hours=5, minutes=30)))

INTS = [None, 0, 1, -1, 2, 3, -7, 25, 100, 127, -128, 2**31 - 1, -(2**31), 2**53 + 1, 2**63 - 1, -(2**63)]
FLOATS = [
    None, float("nan"), float("inf"), float("-inf"), 0.0, -0.0, 0.1, 0.2, 0.3,
    0.30000000000000004, 1.0, -1.0, 2.5,
    -3.5, 25.0, 1e-9, 1e300, -1e300, 1.7e308, 5e-324, 9007199254740993.0, 2.675,
]  # fmt: skip
MEASURES = [None, float("nan"), 0.0, 0.5, -0.5, 1.0, 2.5, 100.0, -64.25]
STRINGS = [
    None, "", " ", "a", "A", "b", "ab", "abc\n", "a\nb", " a ", "é", "É", "ß", "😀", "a😀b",
    "x@y.z", "@", "25", "null",
    "\u00a0a\u2003", "0", "٣", "_", "a-b", "2020-01-31", "2020-02-30", "2020-1-3",
    "2020-01-31T10:00", "0000-01-01",
    "2020-01-31 10:00:00.123456789Z", "2019-12-31T23:59:59+05:30", "9999-12-31", "0001-01-01",
    "2020-01-31T24:00",
]  # fmt: skip
DATES = [None, date(1, 1, 1), date(1582, 10, 10), date(1969, 12, 31), date(2000, 2, 29), date(2020, 1, 31),
         date(2024, 2, 29), date(2024, 3, 1), date(9999, 12, 31)]  # fmt: skip
TIMES = [None, datetime(1, 1, 1), datetime(1900, 1, 1, 12), datetime(1969, 12, 31, 23, 59, 59, 999_999),
         datetime(2020, 1, 31, 10), datetime(2020, 1, 31, 10, 0, 0, 123_456), datetime(2024, 2,
         29, 17, 0, 15, 250_000),
         datetime(2024, 2, 29, 22, 30, 15, 250_000), datetime(9999, 12, 31, 23, 59, 59, 999_999)]  # fmt: skip
ZONED = [t and t.replace(tzinfo=UTC) for t in TIMES]
SUMMERS = [None, *(datetime(2024, m, 31, h, 30, tzinfo=UTC) for m in (3, 10) for h in (0, 1, 2))]
DECIMALS = [None, *(Decimal(d) for d in ("0.00", "0.10", "-0.10", "19.99", "25.00", "-7.50", "99999999.99"))]


@dataclass(frozen=True)
class Kind:
    """What a column may hold: the rule type it is used as, its dtype and the pool of its values."""

    use: str
    dtype: Any
    pool: list[Any]


def _fitting(low: int, high: int) -> list[Any]:
    return [v for v in INTS if v is None or low <= v <= high]


POINT = pl.Struct({"x": pl.Int64, "name": pl.String})
KINDS = [
    Kind("int", pl.Int64, INTS),
    Kind("int", pl.Int32, _fitting(-(2**31), 2**31 - 1)),
    Kind("int", pl.Int8, _fitting(-128, 127)),
    Kind("float", pl.Float64, FLOATS),
    Kind("float", pl.Float32, [None, float("nan"), float("inf"), 0.5, 0.1, -2.0, 25.0]),
    Kind("measure", pl.Float64, MEASURES),
    Kind("measure", pl.Float64, MEASURES),
    Kind("string", pl.String, STRINGS),
    Kind("bool", pl.Boolean, [None, True, False]),
    Kind("date", pl.Date, DATES),
    Kind("datetime", pl.Datetime("us"), TIMES),
    Kind("instant", pl.Datetime("us", "UTC"), ZONED),
    Kind("decimal", pl.Decimal(10, 2), DECIMALS),
    Kind("decimal", pl.Decimal(18, 4), DECIMALS),
    Kind("struct", POINT, [None, {"x": 1, "name": "a"}, {"x": None, "name": None}, {"x": -7, "name": ""}]),
]
POLARS_ONLY = [
    Kind("int", pl.UInt64, [None, 0, 1, 25, 2**63, 2**64 - 1]),
    Kind("datetime", pl.Datetime("ms"), [None, datetime(2020, 1, 31, 10)]),
    Kind("instant", pl.Datetime("us", "Europe/Berlin"), SUMMERS),
    Kind("string", pl.Categorical, [None, "a", "A", "b", ""]),
    Kind("null", pl.Null, [None]),
]
NAMES = [
    "age",
    "order_id",
    "brand",
    "score",
    "`a b`",
    "`and`",
    "`é.1`",
    "is_x",
    "notes",
    "`x-y`",
    "inn",
    "_id",
]
OTHER = pl.DataFrame({"k": [None, 1, 25, 2**53 + 1], "s": ["a", "", None, "é"], "d": [None, date(2020, 1, 31)] * 2})


@dataclass(frozen=True)
class World:
    """A frame and the names of its columns by what they can be used as, as an expression writes them."""

    frame: pl.DataFrame
    names: dict[str, list[str]]


def world(random: Random, kinds: list[Kind], rows: int = 12) -> World:
    """A frame of three to eight columns, each value drawn from its kind's pool."""
    columns, names = [], {}
    for name, kind in zip(NAMES, random.choices(kinds, k=random.randint(3, 8)), strict=False):
        columns.append(pl.Series(name.strip("`"), random.choices(kind.pool, k=rows), dtype=kind.dtype))
        uses = [("int", f"{name}.x"), ("string", f"{name}.name")] if kind.use == "struct" else []
        for use, written in [(kind.use, name), *uses]:
            names.setdefault(use, []).append(written)
    return World(pl.DataFrame(columns), names)


class Sentences:
    """Draws expressions of a wanted type, as text."""

    def __init__(self, random: Random, names: dict[str, list[str]]) -> None:
        self.random, self.names = random, names

    def pick(self, *options: Any) -> Any:
        return self.random.choice(options)

    def column(self, *uses: str, otherwise: str) -> str:
        known = [name for use in (*uses, "null") for name in self.names.get(use, [])]
        return self.pick(*known) if known else otherwise

    def whole(self, depth: int) -> str:
        leaf = self.column("int", otherwise="7")
        if depth <= 0:
            return self.pick(leaf, leaf, "0", "2", "25", "-1", "9223372036854775807")
        return self.pick(
            lambda: leaf,
            lambda: f"({self.whole(depth - 1)} {self.pick('+', '-', '*', '%')} {self.whole(depth - 1)})",
            lambda: f"-({self.whole(depth - 1)})",
            lambda: f"abs({self.whole(depth - 1)})",
            lambda: f"round({self.whole(depth - 1)}, 2)",
            lambda: f"coalesce({self.whole(depth - 1)}, {self.whole(0)})",
            lambda: f"length({self.text(depth - 1)})",
            lambda: f"{self.text(0)}.str.len()",
            lambda: f"({self.day(0)}).dt.{self.pick('year', 'month', 'day', 'dayofweek')}",
            lambda: f"({self.moment_column(0)}).dt.{self.pick('year', 'month', 'day', 'hour', 'dayofweek')}",
        )()

    def real(self, depth: int) -> str:
        leaf = self.column("float", "measure", otherwise="2.5")
        if depth <= 0:
            return self.pick(leaf, leaf, "0.1", "1e-3", "0.0", self.column("decimal", otherwise="19.99"))
        return self.pick(
            lambda: leaf,
            lambda: f"({self.number(depth - 1)} {self.pick('+', '-', '*')} {self.real(depth - 1)})",
            lambda: f"({self.number(depth - 1)} / {self.number(depth - 1)})",
            lambda: f"-({self.real(depth - 1)})",
            lambda: f"abs({self.real(depth - 1)})",
            lambda: f"round({self.real(depth - 1)}, {self.pick(0, 1, 2, 5)})",
            lambda: f"coalesce({self.real(depth - 1)}, {self.number(0)})",
        )()

    def number(self, depth: int) -> str:
        return self.pick(self.whole, self.real)(depth)

    def text(self, depth: int) -> str:
        leaf = self.column("string", otherwise="'ab'")
        if depth <= 0:
            return self.pick(leaf, leaf, leaf, "'a'", '"É"', "'2020-01-31'")
        return self.pick(
            lambda: leaf,
            lambda: f"({self.text(depth - 1)}).str.{self.pick('lower', 'upper', 'strip')}()",
            lambda: f"coalesce({self.text(depth - 1)}, {self.pick(repr(''), repr('É'))})",
        )()

    def day(self, depth: int) -> str:
        leaf = self.column("date", otherwise="date('2020-01-31')")
        return self.pick(
            leaf, leaf, "current_date()", "date('2024-02-29')", f"({self.moment_column(0)}).dt.date",
            f"date({self.names['string'][0]})" if self.names.get("string") else leaf,
        ) if depth > 0 else self.pick(leaf, leaf, "current_date()")  # fmt: skip

    def moment_column(self, depth: int) -> str:
        return self.pick(
            self.column("datetime", otherwise="current_timestamp()"),
            self.column("instant", otherwise="current_timestamp()"),
            "current_timestamp()",
        )

    def comparison(self, depth: int) -> str:
        compared = self.pick("==", "!=", "<", "<=", ">", ">=")
        return self.pick(
            lambda: f"{self.number(depth)} {compared} {self.number(depth)}",
            lambda: f"{self.whole(depth)} {compared} {self.whole(depth)}",
            lambda: (
                f"{self.column('decimal', otherwise='1')} {compared} {self.column('decimal', 'int', otherwise='25')}"
            ),
            lambda: f"{self.text(depth)} {compared} {self.text(depth)}",
            lambda: f"{self.moment(depth)} {compared} {self.moment(depth)}",
            lambda: f"{self.moment(0)} {compared} {self.column('string', otherwise=repr('2020-01-31'))}",
            lambda: f"{self.number(0)} <= {self.number(depth)} < {self.number(0)}",
            lambda: f"({self.condition(depth - 1)}) {self.pick('==', '!=')} ({self.condition(depth - 1)})",
        )()

    def moment(self, depth: int) -> str:
        return self.pick(self.day, self.moment_column)(depth)

    def membership(self) -> str:
        word = self.pick("in", "not in", "NOT  IN")
        return self.pick(
            lambda: f"{self.whole(0)} {word} [0, 25, -7]",
            lambda: f"{self.real(0)} {word} (0.3, 25, 1e300)",
            lambda: f"{self.column('decimal', otherwise='2.5')} {word} [19.99, 25]",
            lambda: f"{self.text(0)} {word} ['a', 'é', '']",
            lambda: f"{self.day(0)} {word} ['2020-01-31', 'no date']",
            lambda: f"{self.moment(0)} {word} ['2020-01-31T10:00', '2024-02-29']",
            lambda: f"{self.whole(0)} {word} other.k",
            lambda: f"{self.text(0)} {word} other.s",
            lambda: f"{self.day(0)} {word} other.d",
        )()

    def text_test(self) -> str:
        patterns = [r"a", r"^a", r"b$", r"a.b", r"\d+", r"\w", r"[^a-z]", r"\s", r"(a|b)+c?",
                    r"^[^@]+@[^@]+\.\w+$",
                    r"\bb", r"é|ß", r"\D", r"\W{2}", r"a\nb", r"(?:ab)?$", ".", "@", r"[\w.-]+",
                    r"a*?b", "😀"]  # fmt: skip
        method = self.pick("contains", "match", "fullmatch")
        return self.pick(
            lambda: f"{self.text(0)}.str.{method}('{self.pick(*patterns)}')",
            lambda: (
                f"({self.text(1)}).str.{self.pick('startswith', 'endswith')}"
                f"({self.pick(repr('a'), repr(''), repr('é'))})"
            ),
        )()

    def condition(self, depth: int) -> str:
        leaf = self.column("bool", otherwise="true")
        if depth < 0:
            return self.pick(leaf, leaf, "true", "False")
        if depth == 0:
            return self.pick(lambda: leaf, lambda: self.comparison(0), self.membership, self.text_test)()
        return self.pick(
            lambda: self.comparison(depth),
            lambda: self.membership(),
            lambda: self.text_test(),
            lambda: f"({self.value(depth - 1)}) is {self.pick('null', 'not null', 'NULL')}",
            lambda: f"({self.condition(depth - 1)}) {self.pick('and', 'or', 'AND')} ({self.condition(depth - 1)})",
            lambda: f"not ({self.condition(depth - 1)})",
            lambda: f"coalesce({self.condition(depth - 1)}, {self.pick('true', 'false')})",
        )()

    def value(self, depth: int) -> str:
        return self.pick(self.whole, self.real, self.text, self.day, self.condition)(depth)

    def table_level(self) -> str:
        column = self.pick(*[name for names in self.names.values() for name in names])
        uses = ("int", "float", "string", "bool", "date", "datetime", "decimal", "instant", "measure")
        plain = self.column(*uses, otherwise=column)
        compared = self.pick("<", ">=", "==", "!=")
        always = [
            lambda: f"row_count {compared} 12",
            lambda: f"column_count {compared} {self.pick(3, 5)}",
            lambda: f"null_count({column}) {compared} {self.pick(0, 2)}",
            lambda: f"null_rate({column}) {compared} {self.pick('0.25', '0.5')}",
            lambda: f"n_unique({plain}) {compared} 4",
            lambda: f"is_unique({plain}) or is_unique({plain}, {plain})",
        ]
        return self.pick(*always, *(form for use in uses if use in self.names for form in self.extremes(use)))()

    def extremes(self, use: str) -> list[Callable[[], str]]:
        column, compared = self.pick(*self.names[use]), self.pick("<", ">=", "==", "!=")
        than = {
            "string": "'b'",
            "date": "'2020-01-31'",
            "datetime": "'2020-01-31'",
            "instant": "'2020-01-31'",
        }
        forms = {
            "int": [
                lambda: f"{self.pick('sum', 'mean')}({column}) {compared} 1",
                lambda: f"{self.pick('min', 'max', 'sum')}({column} * 2) is null",
            ],
            "measure": [lambda: f"sum({column}) {compared} 1.5", lambda: f"mean({column}) {compared} 0.5"],
            "bool": [lambda: f"n_unique({column}) {compared} 2"],
        }  # fmt: skip
        ordered = [lambda: f"{self.pick('min', 'max')}({column}) {compared} {than.get(use, '25')}"]
        return forms.get(use, []) + (ordered if use != "bool" else [])


def rule(random: Random, names: dict[str, list[str]]) -> str:
    """A condition over a world's columns: mostly row by row, one in six about the whole table."""
    sentences = Sentences(random, names)
    return sentences.table_level() if random.random() < 1 / 6 else sentences.condition(random.randint(0, 3))


def cases(kinds: list[Kind], rules: int) -> st.SearchStrategy[tuple[World, list[str]]]:
    """A world and some rules over it, from a seed: Hypothesis's own draws of values repeat themselves."""

    def case(seed: int) -> tuple[World, list[str]]:
        random = Random(seed)
        drawn = world(random, kinds)
        return drawn, [rule(random, drawn.names) for _ in range(rules)]

    return st.integers(0, 2**64 - 1).map(case)
