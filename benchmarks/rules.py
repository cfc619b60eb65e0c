"""The rule language against hand-written Polars, pandas.eval, Pandera and DuckDB: best seconds of three runs.

Run `python benchmarks/rules.py [--rows MILLIONS]`. Each line says what comes out: `rows` the failing rows
with their rules' names, `counts` only figures.
"""

import argparse
import gc
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from mlops_assets.rules import Rule, check, schema_of, validate

Outputs = tuple[pl.DataFrame, pl.DataFrame, list[int], list[int]]
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


def by_hand() -> dict[str, pl.Expr]:
    """What a careful person would write for the same outputs: the same NaN, unknowns and tolerance."""
    age, quantity, status = pl.col("age"), pl.col("quantity"), pl.col("status")
    total, unit, discount = (pl.col(n).fill_nan(None) for n in ("total", "unit", "discount"))
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


def polars_by_hand(data: pl.DataFrame, expressions: dict[str, pl.Expr]) -> Outputs:
    """Passed rows, failed rows with their rules' names, failed and unknown counts a rule."""
    verdicts = data.select(e.alias(n) for n, e in expressions.items())
    unknown = [verdicts[n].null_count() for n in expressions]
    failing = verdicts.select(~pl.all().fill_null(False))
    counts = [int(failing[n].sum()) for n in expressions]
    broken = failing.select(pl.any_horizontal(pl.all())).to_series()
    names = failing.filter(broken).select(
        pl.concat_list(pl.when(n).then(pl.lit(n)) for n in expressions).list.drop_nulls().alias("_failed_rules")
    )
    return data.filter(~broken), data.filter(broken).hstack(names), counts, unknown


def in_pandas(frame: Any) -> list[int]:
    """pandas.eval of the rules it can express, in its own words; only counts."""
    texts = ["customer_id == customer_id", "age >= 18 | guardian == guardian", "age >= 0 & age <= 120",
             "abs(total - quantity * unit * (1 - discount)) <= 1e-9 * abs(total)",
             "total >= unit | total != total",
             "status in ['active', 'pending', 'closed']", "quantity > 0", "~(discount > 0.5)",
             "age >= 18 & status == 'active' | quantity < 90", "email == email"]  # fmt: skip
    return [int((~frame.eval(_grouped(text))).sum()) for text in texts]


def _grouped(text: str) -> str:
    return text.replace(" & ", " and ").replace(" | ", " or ")


def with_pandera(data: pl.DataFrame, expressions: dict[str, pl.Expr]) -> None:
    """Plain Pandera, one check a rule, all failures collected."""
    import pandera.polars as pa
    from pandera.errors import SchemaErrors

    def check_of(expression: pl.Expr) -> Any:
        return lambda frame: frame.lazyframe.select(expression.fill_null(False))

    checks = [pa.Check(check_of(e), name=n, ignore_na=False) for n, e in expressions.items()]
    try:
        pa.DataFrameSchema(checks=checks).validate(data, lazy=True)
    except SchemaErrors:
        return
    raise AssertionError("the data has bad rows")


def in_duckdb(data: pl.DataFrame) -> list[int]:
    """The rules in SQL; only counts."""
    import duckdb

    price = "quantity * unit * (1 - discount)"
    close = f"abs(total - {price}) <= 1e-9 * greatest(abs(total), abs({price}))"
    conditions = ["customer_id is not null", "email like '%@%' or email is null",
                  "age >= 18 or guardian is not null",
                  "age between 0 and 120", close, "total >= unit or isnan(total)",
                  "status in ('active', 'pending', 'closed')", "quantity > 0", "not (discount > 0.5)",
                  "age >= 18 and status = 'active' or quantity < 90"]  # fmt: skip
    counted = ", ".join(f"count(*) filter (({c}) is not true)" for c in conditions)
    return list(duckdb.sql(f"select {counted} from data").fetchone() or ())


def many(count: int) -> tuple[list[Rule], dict[str, pl.Expr]]:
    """`count` rules over the same columns, each with its own constant, and the same by hand."""
    rules, hand = [], {}
    for i in range(count):
        column = ("age", "quantity", "unit", "total")[i % 4]
        value = pl.col(column) if i % 4 < 2 else pl.col(column).fill_nan(None)
        rules.append(Rule(f"r{i}", f"{column} >= {i % 3} or status == 'x{i}'"))
        hand[f"r{i}"] = (value >= i % 3) | (pl.col("status") == f"x{i}")
    return rules, hand


def seconds(work: Callable[[], Any], repeat: int = 3) -> tuple[float, float]:
    """Best wall and CPU seconds of a few runs."""
    found = []
    for _ in range(repeat):
        gc.collect()
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        found.append((time.perf_counter() - wall, time.process_time() - cpu))
    return min(w for w, _ in found), min(c for _, c in found)


def same_outputs(data: pl.DataFrame, rules: list[Rule], hand: dict[str, pl.Expr]) -> None:
    """Both give the same rows, names and counts, or there is nothing to compare."""
    ours, (passed, failed, counts, unknown) = validate(data, rules), polars_by_hand(data, hand)
    assert ours.passed.equals(passed)
    assert ours.failed.equals(failed)
    assert [o.failed_rows for o in ours.outcomes] == counts
    assert [o.unknown_rows for o in ours.outcomes] == unknown


def compare(title: str, data: pl.DataFrame, rules: list[Rule], hand: dict[str, pl.Expr], others: bool) -> Table:
    """One table of times, with the ratio to Polars by hand."""
    same_outputs(data, rules, hand)
    runs: dict[str, Callable[[], Any]] = {
        "Polars by hand (rows)": lambda: polars_by_hand(data, hand),
        "mlops_assets.rules (rows)": lambda: validate(data, rules),
        "Pandera, eager (rows, no names)": lambda: with_pandera(data, hand),
    }
    if others:
        frame = data.to_pandas()
        runs["pandas.eval (counts)"] = lambda: in_pandas(frame)
        runs["DuckDB (counts)"] = lambda: in_duckdb(data)
    table = Table("", "wall s", "CPU s", "wall / Polars", "CPU / Polars", title=title)
    base = None
    for name, work in runs.items():
        try:
            wall, cpu = seconds(work)
        except ModuleNotFoundError as error:
            table.add_row(name, f"not installed: {error.name}")
            continue
        base = base or (wall, cpu)
        table.add_row(name, f"{wall:.2f}", f"{cpu:.2f}", f"{wall / base[0]:.2f}", f"{cpu / base[1]:.2f}")
    return table


def parsing(count: int) -> Table:
    """Reading and type-checking rules."""
    schema = schema_of(customers(10))
    texts = [f"{text} or age == {i}" for i in range(count // len(RULES)) for text in RULES.values()]
    wall, cpu = seconds(lambda: [check(text, schema) for text in texts])
    table = Table("", "wall s", "CPU s", title=f"parse and check {len(texts)} rules")
    table.add_row("mlops_assets.rules", f"{wall:.2f}", f"{cpu:.2f}")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=float, default=5.0, help="millions of rows for ten rules; a fifth for a hundred")
    rows = int(parser.parse_args().rows * 1_000_000)
    console = Console()
    console.print(parsing(1000))
    ten = [Rule(name, condition) for name, condition in RULES.items()]
    data = customers(rows)
    console.print(compare(f"10 rules, {rows:,} rows", data, ten, by_hand(), others=True))
    hundred, hand = many(100)
    console.print(compare(f"100 rules, {rows // 5:,} rows", data.head(rows // 5), hundred, hand, others=False))


if __name__ == "__main__":
    main()
