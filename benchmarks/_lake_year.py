"""A year of a data document, a run a day: what the assets do, in CPU seconds a day."""

import os
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from itertools import count, islice
from pathlib import Path
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


YOUNG = 11  # days, of which the first makes the tables


def year(mode: str, days: int, rows: int, *, anywhere: bool = False) -> list[tuple[float, float]]:
    """CPU seconds of each day's run, and of one of the first days of another project's, which is run in turn: what else
    the machine does then slows both. A day brings `rows` rows of new, greater keys, but a tenth of them are of
    yesterday's, or of keys `anywhere` in the past; one in fifty breaks a rule.
    """
    with tempfile.TemporaryDirectory() as folder:
        old, young = Path(folder, "old"), _first_days(Path(folder), mode, rows, anywhere=anywhere)
        return list(zip(_days(old, mode, days, rows, anywhere=anywhere), young, strict=False))


def _first_days(folder: Path, mode: str, rows: int, *, anywhere: bool) -> Iterator[float]:
    """Days 2 to 11, of one project after another."""
    for number in count():
        yield from islice(_days(folder / f"young{number}", mode, YOUNG, rows, anywhere=anywhere), 1, None)


def _days(home: Path, mode: str, days: int, rows: int, *, anywhere: bool = False) -> Iterator[float]:
    source, configs = home / "source", home / "configs" / "shop"
    source.mkdir(parents=True)
    (configs / "data").mkdir(parents=True)
    keys = "primary_keys: [id]" if mode == "merge" else ""
    (configs / "data" / "orders.yaml").write_text(DOCUMENT.format(source=source, mode=mode, keys=keys))
    (configs / "pipeline.yaml").write_text(PIPELINE)
    project, lake, random = load_project(configs), Warehouse(home), np.random.default_rng(0)
    for day in range(1, days + 1):
        _orders(random, day, rows, anywhere=anywhere).write_parquet(source / f"{day:04}.parquet")
        # A run starts with nothing open: tables are kept open by thread.
        with ThreadPoolExecutor(1) as pool:
            yield pool.submit(_run, project, lake, day).result()
        _a_day_passes(home / "warehouse")


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
