"""What the lake costs: bronze to silver beside a loop by hand, a merge beside delta-rs alone, a day late in the year.

    python benchmarks/lake.py [--rows MILLIONS] [--days DAYS] [--only rows|merge|days]

Each contender runs in a process of its own on the same rows; memory is the process's peak while it works, what Python
and the libraries take included. The tables that come out are compared: their rows, and those in quarantine with their
rules' names. A day's cost is the mean of the days before it, checkpoints and files put together included; what a day
brings is said in `_lake_year.year`.
"""

import argparse
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from itertools import chain
from pathlib import Path
from statistics import mean
from typing import Any

import _lake_loops as by_hand
import numpy as np
import polars as pl
from _lake_year import year
from rich.console import Console
from rich.table import Table

from mlops_assets.config import DataConfig
from mlops_assets.lake import delta
from mlops_assets.lake.batch import Run
from mlops_assets.lake.ingest import ingest
from mlops_assets.lake.polars import POLARS
from mlops_assets.lake.refine import DataTables, refine

FILE = 2_500_000  # rows
MERGED_INTO, DAY = 10_000_000, 250_000
CONDITIONS = {
    "positive": "amount > 0",
    "a_shop": f"shop in {by_hand.SHOPS}",
    "a_day": "day is not null",
    "small": "amount < 1000 or vip",
}
Measured = tuple[float, float, float]


def orders(number: int, rows: int) -> pl.DataFrame:
    """One in a hundred is not positive, one in two hundred of no known shop."""
    random = np.random.default_rng(number)
    shops = random.choice(["north ", "south", " west", "moon"], rows, p=[0.4, 0.3, 0.295, 0.005])
    return pl.DataFrame(
        {
            "id": np.arange(number * FILE, number * FILE + rows),
            "customer": random.integers(0, 1_000_000, rows),
            "amount": random.uniform(-9, 891, rows).round(2),
            "vip": random.random(rows) < 0.1,
            "day": pl.Series([date(2024, 1, 1)]).dt.offset_by(f"{number}d").new_from_index(0, rows),
            "shop": shops,
        }
    )


def write_source(folder: Path, rows: int) -> None:
    folder.mkdir()
    for number, first in enumerate(range(0, rows, FILE)):
        orders(number, min(FILE, rows - first)).write_parquet(folder / f"{number:04}.parquet")


def tables(home: str) -> DataTables:
    return DataTables(*(f"{home}/{name}" for name in ("bronze", "silver", "quarantine")))


def document(source: str, **more: Any) -> DataConfig:
    rules = [{"name": name, "condition": condition} for name, condition in CONDITIONS.items()]
    return DataConfig.model_validate(
        {
            "source_path": source,
            "destination_path": "main.shop.orders",
            "format": "parquet",
            "transformation_steps": [{"type": "trim", "columns": ["shop"]}],
            "validation_rules": rules,
            **more,
        }
    )


def our_bronze(source: str, home: str) -> None:
    ingest(document(source), source, tables(home).bronze, POLARS)


def our_silver(source: str, home: str) -> None:
    done = refine(document(source), tables(home), Run("run"), {}, POLARS)
    assert not done.blocked, done.blocked


def bare_bronze(source: str, home: str) -> None:
    by_hand.to_bronze(Path(source), tables(home).bronze)


def bare_silver(source: str, home: str) -> None:
    by_hand.to_silver(*(getattr(tables(home), name) for name in ("bronze", "silver", "quarantine")))


def our_merge(source: str, home: str) -> None:
    rows = pl.read_parquet(source)
    delta.merge(home, rows, keys=["id"], transactions={"day": 1})


def bare_merge(source: str, home: str) -> None:
    by_hand.merge(home, pl.read_parquet(source))


def measured(work: Callable[[str, str], None], source: str, home: str) -> Measured:
    """CPU seconds, seconds on the clock, MB at the peak, in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_measured, work, source, home).result()


def _measured(work: Callable[[str, str], None], source: str, home: str) -> Measured:
    cpu, wall = time.process_time(), time.perf_counter()
    work(source, home)
    spent = time.process_time() - cpu, time.perf_counter() - wall
    return *spent, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def compared(title: str, lines: list[tuple[str, Measured, Measured]]) -> Table:
    table = Table(title=title)
    for column in ("", "ours: CPU s", "s", "peak MB", "by hand: CPU s", "s", "peak MB", "CPU x", "s x"):
        table.add_column(column, justify="right" if column else "left")
    for name, ours, bare in lines:
        ratios = (f"{ours[index] / bare[index]:.2f}" for index in (0, 1))
        table.add_row(name, *(_shown(ours)), *(_shown(bare)), *ratios)
    return table


def _shown(figures: Measured) -> tuple[str, str, str]:
    return f"{figures[0]:.1f}", f"{figures[1]:.1f}", f"{figures[2]:,.0f}"


def to_silver(millions: float, folder: Path) -> Table:
    source = folder / "source"
    write_source(source, int(millions * 1e6))
    ours, bare = str(folder / "ours"), str(folder / "bare")
    lines = []
    for name, own, hand in (("to bronze", our_bronze, bare_bronze), ("bronze to silver", our_silver, bare_silver)):
        lines.append((name, measured(own, str(source), ours), measured(hand, str(source), bare)))
    _require_equal(ours, bare)
    return compared(f"{millions:g} M rows, 4 rules", lines)


def _require_equal(ours: str, bare: str) -> None:
    for one, other in zip(_figures(ours), _figures(bare), strict=True):
        assert one.equals(other), (one, other)


def _figures(home: str) -> list[pl.DataFrame]:
    """What tells tables of so many rows apart: rows, and sums over all columns."""
    silver, held = delta.scan(tables(home).silver), delta.scan(tables(home).quarantine)
    columns = ["id", "customer", "amount", "vip", "day", "shop"]
    sums = [pl.len(), *(pl.col(name).hash().sum().alias(name) for name in columns)]
    named = held.group_by(pl.col("_failed_rules").list.sort().list.join(", ")).agg(sums).sort("_failed_rules")
    return [silver.select(sums).collect(engine="streaming"), named.collect()]


def merged(folder: Path) -> Table:
    """A day of a quarter of a million rows, half of them of keys that are there, into ten million."""
    for name in ("ours", "bare"):
        for number in range(MERGED_INTO // FILE):
            delta.append(str(folder / name), orders(number, FILE), transactions={"load": number})
    day = orders(0, DAY).with_columns(id=np.arange(MERGED_INTO - DAY // 2, MERGED_INTO + DAY // 2))
    day.write_parquet(folder / "day.parquet")
    source = str(folder / "day.parquet")
    pair = (measured(our_merge, source, str(folder / "ours")), measured(bare_merge, source, str(folder / "bare")))
    rows = [delta.rows(str(folder / name)) for name in ("ours", "bare")]
    assert rows == [MERGED_INTO + DAY // 2] * 2, rows
    return compared(f"{DAY:,} rows merged into {MERGED_INTO:,}", [("merge", *pair)])


def days(count: int) -> Table:
    """Each figure is the mean of the days up to it, fifty where there are as many: a table's small files are put
    together every fifty days. `x` is that over the mean of days 2 to 11 of new tables, run in turn with them. The last
    line is of runs in a process each, Python's start included: ten days after the others, over days 2 to 11.
    """
    table = Table("days", "append: CPU s", "x", "merge: CPU s", "x", "keys of all days: CPU s", "x",
                  title="a run a day, 1,000 rows a day")  # fmt: skip
    spent = [year("append", count, 1000), year("merge", count, 1000), year("merge", count, 1000, anywhere=True)]
    stretches = [(2, 11), *((max(12, day - 49), day) for day in (30, 100, 200, 300, count) if 12 < day <= count)]
    for start, end in dict.fromkeys(stretches):
        shown: list[str] = []
        for each in spent:
            own, first = (mean(pair[side] for pair in each.days[start - 1 : end]) for side in (0, 1))
            shown += [f"{own:.3f}", f"{own / first:.2f}"]
        table.add_row(f"{start} to {end}", *shown)
    alone = [(f"{old:.3f}", f"{old / new:.2f}") for old, new in (each.alone for each in spent)]
    table.add_row(f"{count + 1} to {count + 10}, a process each", *chain.from_iterable(alone))
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description="What the lake costs.")
    parser.add_argument("--rows", type=float, default=5, help="million rows from source to silver")
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--only", choices=("rows", "merge", "days"))
    given = parser.parse_args()
    console = Console(width=120)
    for name, work in (
        ("rows", lambda folder: to_silver(given.rows, folder)),
        ("merge", merged),
        ("days", lambda folder: days(given.days)),
    ):
        if given.only in (None, name):
            with tempfile.TemporaryDirectory() as folder:
                console.print(work(Path(folder)))


if __name__ == "__main__":
    main()
