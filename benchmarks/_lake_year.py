"""A year of a data document, a run a day: what the assets do, in CPU seconds a day."""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import count, islice
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import polars as pl

from mlops_assets.config import load_project
from mlops_assets.lake.locations import Warehouse
from mlops_assets.steps import data
from mlops_assets.steps.result import StepRun

DOCUMENT = """
source_path: {source}
destination_path: main.shop.orders
format: parquet
write_mode: {mode}
{keys}
columns: {{id: int, amount: float, day: date, shop: string}}
transformation_steps:
  - {{type: trim, columns: [shop]}}
validation_rules:
  - {{name: positive, condition: amount > 0}}
  - {{name: a_shop, condition: shop is not null}}
max_error_fraction: 0.5
# A week here, where a day takes some 0.3 seconds: a log forgets removed files after as long.
retention: 2s
"""
PIPELINE = "name: shop\nowner: team@example.com\nenvironment: dev\n"


CONFIGS, SOURCE = "configs/shop", "source"
YOUNG = 11  # days, of which the first makes the tables


@dataclass(frozen=True)
class Year:
    """CPU seconds of runs: of each day, with one of the first days of another project; and, in a process each as
    Dagster runs them, the means of ten days after the year and of days 2 to 11.
    """

    days: list[tuple[float, float]]
    alone: tuple[float, float]


def year(mode: str, days: int, rows: int, *, anywhere: bool = False) -> Year:
    """Two projects are run in turn, so that other load on the machine slows both. A day brings `rows` rows of new,
    greater keys, but a tenth of them are of yesterday's, or of keys `anywhere` in the past; one in fifty breaks a rule.
    """
    with tempfile.TemporaryDirectory() as folder:
        old, young = Path(folder, "old"), _first_days(Path(folder), mode, rows, anywhere=anywhere)
        pairs = list(zip(_days(old, mode, days, rows, anywhere=anywhere), young, strict=False))
        new = Path(folder, "new")
        list(_days(new, mode, 1, rows, anywhere=anywhere))
        return Year(pairs, _in_processes({old: days, new: 1}, rows, anywhere=anywhere))


def _in_processes(last_day: Mapping[Path, int], rows: int, *, anywhere: bool) -> tuple[float, float]:
    """Mean CPU seconds of the ten runs after the last day of two projects, by turns, each run in a new process."""
    spent: dict[Path, list[float]] = {home: [] for home in last_day}
    for number in range(1, YOUNG):
        for home, last in last_day.items():
            day = last + number
            _arrive(home, day, _orders(np.random.default_rng(day), day, rows, anywhere=anywhere))
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([sys.executable, __file__, str(home), str(day)], check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            spent[home].append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
            _a_day_passes(home / "warehouse")
    old, new = map(mean, spent.values())
    return old, new


def _first_days(folder: Path, mode: str, rows: int, *, anywhere: bool) -> Iterator[float]:
    """Days 2 to 11, of one project after another."""
    for number in count():
        yield from islice(_days(folder / f"young{number}", mode, YOUNG, rows, anywhere=anywhere), 1, None)


def _days(home: Path, mode: str, days: int, rows: int, *, anywhere: bool = False) -> Iterator[float]:
    configs, source = home / CONFIGS, home / SOURCE
    source.mkdir(parents=True)
    (configs / "data").mkdir(parents=True)
    keys = "primary_keys: [id]" if mode == "merge" else ""
    (configs / "data" / "orders.yaml").write_text(DOCUMENT.format(source=source, mode=mode, keys=keys))
    (configs / "pipeline.yaml").write_text(PIPELINE)
    project, lake, random = load_project(configs), Warehouse(home), np.random.default_rng(0)
    for day in range(1, days + 1):
        _arrive(home, day, _orders(random, day, rows, anywhere=anywhere))
        # A run starts with nothing open: tables are kept open by thread.
        with ThreadPoolExecutor(1) as pool:
            yield pool.submit(_run, project, lake, day).result()
        _a_day_passes(home / "warehouse")


def _arrive(home: Path, day: int, orders: pl.DataFrame) -> None:
    orders.write_parquet(home / SOURCE / f"{day:04}.parquet")


def _run(project: Any, lake: Warehouse, day: int) -> float:
    start, [document] = time.process_time(), project.data
    data.bronze(project, document, lake)
    done = data.silver(project, document, document.config, lake, StepRun(str(day)))
    spent = time.process_time() - start
    assert not done.blocked, done.blocked
    return spent


def _orders(random: np.random.Generator, day: int, rows: int, *, anywhere: bool = False) -> pl.DataFrame:
    again = rows // 10
    first = day * (rows - again)
    old = random.choice(first, again, replace=False) if anywhere else np.arange(first - again, first)
    return pl.DataFrame(
        {
            "id": np.concatenate([old, np.arange(first, first - again + rows)]),
            "amount": np.where(np.arange(rows) % 50 == 0, -1.0, random.uniform(1, 500, rows)),
            "day": [date(2024, 1, 1) + timedelta(days=day)] * rows,
            "shop": random.choice(["north ", "south", " west"], rows),
        }
    )


def _a_day_passes(warehouse: Path) -> None:
    """Every commit is a day older, so that a log is kept for as long as Delta keeps it."""
    yesterday = timedelta(days=1).total_seconds()
    for file in warehouse.glob("*/*/*/_delta_log/*"):
        stat = file.stat()
        os.utime(file, (stat.st_atime - yesterday, stat.st_mtime - yesterday))


if __name__ == "__main__":
    place, number = Path(sys.argv[1]), int(sys.argv[2])
    _run(load_project(place / CONFIGS), Warehouse(place), number)
