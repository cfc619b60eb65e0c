"""What a day of monitoring costs when new and after a year: its rows profiled, stored and judged, the alarm told.

    python benchmarks/monitored_year.py [rows a day] [times]

20 numeric features and the prediction, real Delta tables, a commit a table and day as the monitor's asset makes them.
The eleven months before are made from one profile and its verdicts, their logs dated a day apart and without what a
log's retention would have removed by then. From there the days are run one by one, by turns with those after day 1,
each on tables that its process has not opened before; the first day of a month puts the month before together. CPU
seconds are medians over `times`. Last, days are run in a process of their own, from the start of Python on.
"""

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import mean, median

import numpy as np
import polars as pl
from deltalake import DeltaTable
from rich.console import Console
from rich.table import Table

from mlops_assets.config import MonitoringConfig
from mlops_assets.monitoring import store
from mlops_assets.monitoring.profile import summarise
from mlops_assets.monitoring.references import basis
from mlops_assets.monitoring.store import DriftTables
from mlops_assets.monitoring.watch import judge, watch
from mlops_assets.monitoring.windows import Clock

FEATURES = [f"feature_{index}" for index in range(20)]
CONFIG = MonitoringConfig.model_validate({"metrics": ["feature_drift"], "data_drift_detection": {"method": "psi"}})
FIRST = date(2024, 1, 1)
CLOCK = Clock("UTC", datetime(2026, 1, 1, tzinfo=UTC))
YOUNG = range(2, 33)  # 2 January to 1 February, which puts January together
OLD = range(337, 368)  # 2 December to 1 January, which puts December together
AROUND_2, AROUND_365 = range(2, 7), range(362, 367)
GROWN = ("profiles", "drift")


def rows(random: np.random.Generator, count: int) -> pl.DataFrame:
    columns = {name: random.normal(size=count) for name in FEATURES}
    return pl.DataFrame({**columns, "prediction": random.random(count)})


def window(day: int) -> str:
    return str(FIRST + timedelta(days=day - 1))


def tables(folder: Path) -> DriftTables:
    return DriftTables(*(str(folder / name) for name in ("references", *GROWN)))


def run(folder: Path, day: int, batch: pl.DataFrame, reference: pl.DataFrame) -> float:
    """CPU seconds of a day."""
    batch = batch.with_columns(window=pl.lit(window(day)))
    start = time.process_time()
    watch(
        tables(folder),
        batch,
        day,
        after=day - 1 or None,
        version="1",
        features=FEATURES,
        training=lambda: reference,
        config=CONFIG,
        clock=CLOCK,
    )
    return time.process_time() - start


def grow(folder: Path, until: int, batch: pl.DataFrame) -> None:
    """The days after the first up to `until`, in the tables of the first."""
    own = tables(folder)
    references = store.read_references(own.references, "1", basis(CONFIG))
    profiles = {"": summarise(batch, references[""])}
    verdicts = judge(references[""].profile, profiles[""], CONFIG)
    keep(folder, "interval 0 seconds")
    dated: set[Path] = set()
    for day in range(2, until + 1):
        store.append_profiles(own.profiles, "1", day, {window(day): profiles}, after=day - 1)
        store.replace_verdicts(own.drift, "1", {window(day): verdicts})
        written = {file for name in GROWN for file in (folder / name / "_delta_log").iterdir()}
        for file in written - dated:
            at = time.time() - (until - day) * 86_400
            os.utime(file, (at, at))
        dated |= written
    keep(folder, "interval 1 week")


def keep(folder: Path, interval: str) -> None:
    """How long the tables' logs name a file that is gone: Delta's week, or not at all for days that are long ago."""
    for name in GROWN:
        DeltaTable(str(folder / name)).alter.set_table_properties({"delta.deletedFileRetentionDuration": interval})


def lived(folder: Path, days: Sequence[int], batch: pl.DataFrame) -> Iterator[float]:
    """CPU seconds of day after day. Each finds the tables under a new name, so that none is open already."""
    for day in days:
        folder = folder.rename(folder.with_name(f"{folder.name.partition('_')[0]}_{day}"))
        yield run(folder, day, batch, batch)


def months(base: Path, random: np.random.Generator, count: int, times: int) -> dict[int, float]:
    """CPU seconds by day, of the first month's days and the last's by turns."""
    spent: dict[int, list[float]] = {day: [] for day in (*YOUNG, *OLD)}
    for _ in range(times):
        batch = rows(random, count)
        with tempfile.TemporaryDirectory(dir=base) as place:
            young, old = (shutil.copytree(base / name, Path(place, name)) for name in ("young", "old"))
            by_turns = zip(YOUNG, lived(young, YOUNG, batch), OLD, lived(old, OLD, batch), strict=True)
            for early, first, late, second in by_turns:
                spent[early].append(first)
                spent[late].append(second)
    return {day: median(found) for day, found in spent.items()}


def alone(folders: Sequence[Path], days: Sequence[Sequence[int]], count: int) -> list[float]:
    """Median CPU seconds of days in a process of their own each, by folder and by turns."""
    spent: list[list[float]] = [[] for _ in folders]
    for of_each in zip(*days, strict=True):
        for folder, day, found in zip(folders, of_each, spent, strict=True):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([sys.executable, __file__, "--day", str(folder), str(day), str(count)], check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            found.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return [median(found) for found in spent]


def main(count: int, times: int) -> None:
    random = np.random.default_rng(0)
    table = Table("CPU s", "new", "after a year", "x", title=f"a day of {count:,} rows, 20 features")
    with tempfile.TemporaryDirectory() as place:
        base = Path(place)
        run(base / "young", 1, rows(random, count), rows(random, 100_000))
        shutil.copytree(base / "young", base / "old")
        grow(base / "old", OLD[0] - 1, rows(random, count))
        spent = months(base, random, count, times)
        late = shutil.copytree(base / "old", base / "late")
        list(lived(late, range(OLD[0], AROUND_365[0]), rows(random, count)))
        told = [
            ("days 2 to 6, 362 to 366: median", *(median(map(spent.get, days)) for days in (AROUND_2, AROUND_365))),
            ("day 2, day 365", spent[2], spent[365]),
            ("the day that puts a month together", spent[YOUNG[-1]], spent[OLD[-1]]),
            ("a day's share of a month, that day included", *(mean(map(spent.get, days)) for days in (YOUNG, OLD))),
            (
                "days 2 to 6, 362 to 366 in a process each: median",
                *alone([base / "young", base / f"late_{AROUND_365[0] - 1}"], [AROUND_2, AROUND_365], count),
            ),
        ]
    for name, new, old in told:
        table.add_row(name, f"{new:.3f}", f"{old:.3f}", f"{old / new:.2f}")
    Console(width=120).print(table)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--day"]:
        run(Path(sys.argv[2]), int(sys.argv[3]), rows(np.random.default_rng(1), int(sys.argv[4])), pl.DataFrame())
    else:
        main(*(int(given) for given in (sys.argv[1:] + ["2000", "5"][len(sys.argv) - 1 :])))
