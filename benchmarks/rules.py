"""The rule language against hand-written Polars, DuckDB, pandas.eval and Pandera: time and memory, outputs compared.

Run `python benchmarks/rules.py [--rows MILLIONS]`. Each line says what comes out: `rows` the passing and the failing
rows, these with their rules' names; `counts` only figures. Every contender runs in a process of its own, on the same
rows; memory is what the process grows by at its peak while it works. All must count the same failures.
"""

import argparse
import gc
import multiprocessing
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import psutil
from _rules_peers import PEERS, RULES, by_hand, customers, polars_outputs, rules
from rich.console import Console
from rich.table import Table

from mlops_assets.rules import check, schema_of, validate

OURS = "mlops_assets.rules (rows)"
REPEATS = 3


@dataclass(frozen=True)
class Measured:
    """Best wall and CPU seconds of a few runs, growth in MB at the peak, failures a rule."""

    wall: float
    cpu: float
    megabytes: float
    failures: list[int]


def measure(name: str, file: str, many: bool) -> Measured:
    """One contender on the rows of a Parquet file."""
    return timed(PEERS[name](pl.read_parquet(file), many), REPEATS)


def timed(work: Callable[[], list[int]], repeats: int) -> Measured:
    process, peak, done = psutil.Process(), [0], threading.Event()
    gc.collect()
    before = process.memory_info().rss

    def watch() -> None:
        while not done.wait(0.01):
            peak[0] = max(peak[0], process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    found = []
    try:
        for _ in range(repeats):
            wall, cpu = time.perf_counter(), time.process_time()
            failures = work()
            found.append((time.perf_counter() - wall, time.process_time() - cpu))
    finally:
        done.set()
        watcher.join()
    return Measured(min(w for w, _ in found), min(c for _, c in found), max(0, peak[0] - before) / 1e6, failures)


def alone(name: str, file: str, many: bool) -> Measured:
    """`measure` in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measure, name, file, many).result()


def same_outputs(data: pl.DataFrame, many: bool) -> None:
    """Ours and the hand-written give the same rows, names and counts, or there is nothing to compare."""
    mine, (passed, failed, counts, unknown) = validate(data, rules(many)), polars_outputs(data, by_hand(many))
    assert mine.passed.equals(passed)
    assert mine.failed.equals(failed)
    assert [o.failed_rows for o in mine.outcomes] == counts
    assert [o.unknown_rows for o in mine.outcomes] == unknown


def compare(title: str, file: str, many: bool, names: list[str]) -> Table:
    """One table of times and memory, and how many times ours each takes."""
    table = Table("", "wall s", "CPU s", "wall / ours", "CPU / ours", "peak MB", title=title)
    ours: Measured | None = None
    for name in [OURS, *(name for name in names if name != OURS)]:
        found = alone(name, file, many)
        ours = ours or found
        assert found.failures == ours.failures, f"{name}: {found.failures} are not {ours.failures}"
        ratios = (f"{found.wall / ours.wall:.2f}", f"{found.cpu / ours.cpu:.2f}")
        table.add_row(name, f"{found.wall:.2f}", f"{found.cpu:.2f}", *ratios, f"{found.megabytes:,.0f}")
    return table


def parsing(count: int) -> Table:
    """Reading and type-checking rules."""
    schema = schema_of(customers(10))
    texts = [f"{text} or age == {i}" for i in range(count // len(RULES)) for text in RULES.values()]
    found = timed(lambda: [len(check(text, schema).text) for text in texts], REPEATS)
    table = Table("", "wall s", "CPU s", title=f"parse and check {len(texts)} rules")
    table.add_row("mlops_assets.rules", f"{found.wall:.2f}", f"{found.cpu:.2f}")
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=float, default=5.0, help="millions of rows for ten rules; a fifth for a hundred")
    rows = int(parser.parse_args().rows * 1_000_000)
    console = Console(width=120)
    console.print(parsing(1000))
    with tempfile.TemporaryDirectory() as folder:
        some, none, fifth = (str(Path(folder) / name) for name in ("some.parquet", "none.parquet", "fifth.parquet"))
        data = customers(rows)
        same_outputs(data, many=False)
        same_outputs(data.head(rows // 5), many=True)
        data.write_parquet(some)
        data.head(rows // 5).write_parquet(fifth)
        clean = validate(customers(rows + rows // 20), rules(False)).passed.head(rows)
        clean.write_parquet(none)
        assert clean.height == rows
        del data, clean
        console.print(compare(f"10 rules, {rows:,} rows, 1 % failing", some, False, list(PEERS)))
        console.print(compare(f"10 rules, {rows:,} rows, all passing", none, False, list(PEERS)))
        console.print(compare(f"100 rules, {rows // 5:,} rows", fifth, True, list(PEERS)))


if __name__ == "__main__":
    main()
