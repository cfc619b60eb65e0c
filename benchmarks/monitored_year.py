"""What a day of monitoring costs on day 2 and on day 365: a day's rows profiled, stored, judged, and the alarm told.

    python benchmarks/monitored_year.py [days] [rows a day] [times]

20 numeric features and the prediction, real Delta tables, a commit a table and day as the monitor's asset makes them.
The days before are made from one profile and its verdicts, their logs dated a day apart, so that what is older than a
log's retention is gone as it would be. Each measured day is run on a copy of the tables that no process has seen; the
CPU seconds are medians over `times`, day 2 and the late days by turns. The first day of a month puts the month before
together.
"""

import os
import shutil
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path
from statistics import median

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from mlops_assets.config import MonitoringConfig
from mlops_assets.monitoring import store
from mlops_assets.monitoring.profile import summarise
from mlops_assets.monitoring.store import DriftTables
from mlops_assets.monitoring.watch import basis, judge, watch

FEATURES = [f"feature_{index}" for index in range(20)]
CONFIG = MonitoringConfig.model_validate({"metrics": ["feature_drift"], "data_drift_detection": {"method": "psi"}})
FIRST = date(2024, 1, 1)


def rows(random: np.random.Generator, count: int) -> pl.DataFrame:
    columns = {name: random.normal(size=count) for name in FEATURES}
    return pl.DataFrame({**columns, "prediction": random.random(count)})


def window(day: int) -> str:
    return str(FIRST + timedelta(days=day - 1))


def tables(folder: Path) -> DriftTables:
    return DriftTables(*(str(folder / name) for name in ("references", "profiles", "drift")))


def run(folder: Path, day: int, batch: pl.DataFrame, reference: pl.DataFrame) -> float:
    """CPU seconds of a day."""
    batch = batch.with_columns(window=pl.lit(window(day)))
    start = time.process_time()
    watch(tables(folder), batch, day, version="1", features=FEATURES, training=lambda: reference, config=CONFIG)
    return time.process_time() - start


def grow(folder: Path, until: int, batch: pl.DataFrame) -> None:
    """The days after the first up to `until`, in the tables of the first."""
    own = tables(folder)
    references = store.read_references(own.references, "1", basis(CONFIG))
    profiles = {"": summarise(batch, references[""])}
    verdicts = judge(references[""].profile, profiles[""], CONFIG)
    dated: set[Path] = set()
    for day in range(2, until + 1):
        store.append_profiles(own.profiles, "1", day, {window(day): profiles})
        store.replace_verdicts(own.drift, "1", {window(day): verdicts})
        written = {file for name in ("profiles", "drift") for file in (folder / name / "_delta_log").iterdir()}
        for file in written - dated:
            at = time.time() - (until - day) * 86_400
            os.utime(file, (at, at))
        dated |= written


def on_a_copy(folder: Path, day: int, batch: pl.DataFrame) -> float:
    with tempfile.TemporaryDirectory() as place:
        copied = shutil.copytree(folder, Path(place, "copy"))
        return run(copied, day, batch, batch)


def first_of_next_month(day: int) -> int:
    late = FIRST + timedelta(days=day)
    return ((late.replace(day=1) + timedelta(days=32)).replace(day=1) - FIRST).days + 1


def main(days: int, count: int, times: int) -> None:
    random = np.random.default_rng(0)
    folding = first_of_next_month(days)
    spent: dict[int, list[float]] = {2: [], days: [], folding: []}
    with tempfile.TemporaryDirectory() as place:
        young, old, oldest = (Path(place, name) for name in ("young", "old", "oldest"))
        run(young, 1, rows(random, count), rows(random, 100_000))
        for folder, until in ((old, days - 1), (oldest, folding - 1)):
            shutil.copytree(young, folder)
            grow(folder, until, rows(random, count))
        for _ in range(times):
            batch = rows(random, count)
            for day, folder in ((2, young), (days, old), (folding, oldest)):
                spent[day].append(on_a_copy(folder, day, batch))
    table = Table("day", "", "CPU s", "x day 2", title=f"a day of {count:,} rows, 20 features, median of {times}")
    for day, found in spent.items():
        table.add_row(str(day), window(day), f"{median(found):.3f}", f"{median(found) / median(spent[2]):.2f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    main(*(int(given) for given in (sys.argv[1:] + ["365", "2000", "15"][len(sys.argv) - 1 :])))
