"""The ten and the hundred rules of the benchmark, in our words and in those of its peers; the rows they run on."""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import polars as pl

from mlops_assets.rules import Rule, validate

RULES = {
    "id": "customer_id is not null",
    "email": "email.str.contains('@') or email is null",
    "age": "age >= 18 or guardian is not null",
    "range": "0 <= age <= 120",
    "price": "total == (quantity * unit) * (1 - discount)",
    "charges": "total >= unit or total is null",
    "status": "status in ['active', 'pending', 'closed']",
    "quantity": "quantity > 0",
    "discount": "not (discount > 0.5)",
    "mixed": "(age >= 18) and (status == 'active') or quantity < 90",
}
SQL = {
    **RULES,
    "email": "contains(email, '@') or email is null",
    "range": "age between 0 and 120",
    "price": "abs(total - quantity * unit * (1 - discount)) "
    "<= 1e-9 * greatest(abs(total), abs(quantity * unit * (1 - discount)))",
    "status": "status in ('active', 'pending', 'closed')",
    "mixed": "age >= 18 and status = 'active' or quantity < 90",
}
PANDAS = {
    **RULES,
    "id": "customer_id == customer_id",
    "email": "email.str.contains('@', regex=False, na=True)",
    "age": "age >= 18 or guardian == guardian",
    "range": "age >= 0 and age <= 120",
    "price": "abs(total - quantity * unit * (1 - discount)) <= 1e-9 * abs(total)",
    "charges": "total >= unit or total != total",
    "discount": "~(discount > 0.5)",
    "mixed": "age >= 18 and status == 'active' or quantity < 90",
}
COLUMNS = ("age", "quantity", "unit", "total")


def customers(rows: int) -> pl.DataFrame:
    """Customers with about one bad row in a hundred, NaN and nulls among them."""
    draw = np.random.default_rng(7)
    quantity, unit = draw.integers(1, 90, rows), draw.uniform(1, 100, rows).round(2)
    discount = draw.choice([0.0, 0.1, 0.25], rows)
    total = quantity * unit * (1 - discount)
    total[draw.random(rows) < 0.002] = np.nan
    status = draw.choice(["active", "pending", "closed", "gone"], rows, p=[0.5, 0.3, 0.199, 0.001])
    number = pl.col("customer_id")
    plain = {"customer_id": np.arange(rows), "age": draw.integers(16, 100, rows), "quantity": quantity}
    minor = (pl.col("age") < 18) & (number % 50 != 0)
    return pl.DataFrame({**plain, "unit": unit, "discount": discount, "total": total, "status": status}).with_columns(
        pl.when(number % 1000 != 0).then(number),
        pl.when(number % 7 != 0).then(pl.format("user{}@example.com", number)).alias("email"),
        pl.when(minor).then(pl.lit("a guardian")).alias("guardian"),
    )


def rules(many: bool) -> list[Rule]:
    """Ten rules of every kind, or a hundred over four columns, each with a constant of its own."""
    if not many:
        return [Rule(name, condition) for name, condition in RULES.items()]
    return [Rule(f"r{i}", f"{COLUMNS[i % 4]} >= {i % 3} or status == 'x{i}'") for i in range(100)]


def by_hand(many: bool) -> dict[str, pl.Expr]:
    """What a careful person would write for the same outputs: the same NaN, unknowns and tolerance."""
    total, unit, discount = (pl.col(n).fill_nan(None) for n in ("total", "unit", "discount"))
    age, quantity, status = pl.col("age"), pl.col("quantity"), pl.col("status")
    if many:
        values = (age, quantity, unit, total)
        return {f"r{i}": (values[i % 4] >= i % 3) | (status == f"x{i}") for i in range(100)}
    price = quantity * unit * (1 - discount)
    close = (total - price).abs() <= 1e-9 * pl.max_horizontal(total.abs(), price.abs())
    return {
        "id": pl.col("customer_id").is_not_null(),
        "email": pl.col("email").str.contains("@", literal=True) | pl.col("email").is_null(),
        "age": (age >= 18) | pl.col("guardian").is_not_null(),
        "range": (age >= 0) & (age <= 120),
        "price": close,
        "charges": (total >= unit) | total.is_null(),
        "status": status.is_in(["active", "pending", "closed"]),
        "quantity": quantity > 0,
        "discount": ~(discount > 0.5),
        "mixed": (age >= 18) & (status == "active") | (quantity < 90),
    }


def sql(many: bool) -> dict[str, str]:
    """The conditions in SQL."""
    return {f"r{i}": f"{COLUMNS[i % 4]} >= {i % 3} or status = 'x{i}'" for i in range(100)} if many else SQL


Work = Callable[[], list[int]]


def ours(data: pl.DataFrame, many: bool) -> Work:
    return lambda: [outcome.failed_rows for outcome in validate(data, rules(many)).outcomes]


def polars_by_hand(data: pl.DataFrame, many: bool) -> Work:
    return lambda: polars_outputs(data, by_hand(many))[2]


def polars_streaming(data: pl.DataFrame, many: bool) -> Work:
    return lambda: polars_outputs(data, by_hand(many), "streaming")[2]


def polars_outputs(
    data: pl.DataFrame, expressions: dict[str, pl.Expr], engine: Literal["in-memory", "streaming"] = "in-memory"
) -> tuple[pl.DataFrame, pl.DataFrame, list[int], list[int]]:
    """Passed rows, failed rows with their rules' names, failed and unknown counts a rule."""
    verdicts = data.lazy().select(e.alias(n) for n, e in expressions.items()).collect(engine=engine)
    unknown = [verdicts[n].null_count() for n in expressions]
    failing = verdicts.select(~pl.all().fill_null(False))
    counts = [int(failing[n].sum()) for n in expressions]
    broken = failing.select(pl.any_horizontal(pl.all())).to_series()
    names = failing.filter(broken).select(
        pl.concat_list(pl.when(n).then(pl.lit(n)) for n in expressions).list.drop_nulls().alias("_failed_rules")
    )
    return data.filter(~broken), data.filter(broken).hstack(names), counts, unknown


def pandas_texts(many: bool) -> dict[str, str]:
    """The conditions as pandas.eval reads them."""
    return {rule.name: rule.condition.replace("'", '"') for rule in rules(True)} if many else PANDAS


def pandas_counts(data: pl.DataFrame, many: bool) -> Work:
    """Only counts; the frame is made beforehand."""
    frame = data.to_pandas()
    return lambda: [int((~frame.eval(text)).sum()) for text in pandas_texts(many).values()]


def pandas_rows(data: pl.DataFrame, many: bool) -> Work:
    """Passed and failed rows with their rules' names; the frame is made beforehand. It has no unknowns to count."""
    frame = data.to_pandas()
    names = np.array(list(pandas_texts(many)))

    def work() -> list[int]:
        failing = np.column_stack([~frame.eval(text) for text in pandas_texts(many).values()])
        broken = failing.any(axis=1)
        passed, failed = frame[~broken], frame[broken].copy()
        failed["_failed_rules"] = [list(names[row]) for row in failing[broken]]
        assert len(passed) + len(failed) == len(frame)
        return [int(count) for count in failing.sum(axis=0)]

    return work


def pandera_eager(data: pl.DataFrame, many: bool) -> Work:
    """Plain Pandera, one check a rule, all failures collected; no names by row."""
    import pandera.polars as pa
    from pandera.errors import SchemaErrors

    def check_of(expression: pl.Expr) -> Any:
        return lambda frame: frame.lazyframe.select(expression.fill_null(False))

    checks = [pa.Check(check_of(e), name=n, ignore_na=False) for n, e in by_hand(many).items()]
    schema = pa.DataFrameSchema(checks=checks)

    def work() -> list[int]:
        try:
            schema.validate(data, lazy=True)
        except SchemaErrors as errors:
            found = dict(errors.failure_cases.group_by("check").len().iter_rows())
            return [found.get(name, 0) for name in by_hand(many)]
        return [0] * len(checks)

    return work


_NULLS = "(select * replace (if(isnan(total), null, total) as total) from data)"


def duckdb_counts(data: pl.DataFrame, many: bool) -> Work:
    """Only counts."""
    import duckdb

    counted = ", ".join(f"count(*) filter (({c}) is not true)" for c in sql(many).values())
    connection = duckdb.connect()
    connection.register("data", data.to_arrow())
    return lambda: list(connection.sql(f"select {counted} from {_NULLS}").fetchall()[0])


def duckdb_rows(data: pl.DataFrame, many: bool) -> Work:
    """Passed and failed rows with their rules' names, as Polars frames."""
    import duckdb

    names = ", ".join(f"case when ({c}) is not true then '{n}' end" for n, c in sql(many).items())
    connection = duckdb.connect()
    connection.register("data", data.to_arrow())
    listed = f"list_filter([{names}], lambda name: name is not null)"

    def work() -> list[int]:
        found = connection.sql(f"select *, {listed} as _failed_rules from {_NULLS}").pl()
        broken = found["_failed_rules"].list.len() > 0
        failed, passed = found.filter(broken), found.filter(~broken)
        assert passed.height + failed.height == data.height
        counts = dict(failed["_failed_rules"].list.explode().value_counts().iter_rows()) if failed.height else {}
        return [counts.get(name, 0) for name in sql(many)]

    return work


PEERS: dict[str, Callable[[pl.DataFrame, bool], Work]] = {
    "Polars by hand (rows)": polars_by_hand,
    "Polars by hand, streaming engine (rows)": polars_streaming,
    "mlops_assets.rules (rows)": ours,
    "DuckDB SQL (rows)": duckdb_rows,
    "DuckDB SQL (counts)": duckdb_counts,
    "pandas.eval (rows)": pandas_rows,
    "pandas.eval (counts)": pandas_counts,
    "Pandera, eager (rows, no names)": pandera_eager,
}
