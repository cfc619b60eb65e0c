"""What a day of monitoring costs on day 2 and on day 365: a day's rows profiled, stored, judged, and the alarm told.

    python benchmarks/monitored_year.py [days] [rows a day]

20 numeric features and the prediction, real Delta tables, one run a day as the monitor's asset does it. The CPU seconds
of a day are the median of five days around it; day 1, which fits the reference, is not among them.
"""

import sys
import tempfile
import time
from datetime import date, timedelta
from statistics import median

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from mlops_assets.config import MonitoringConfig
from mlops_assets.monitoring.store import DriftTables
from mlops_assets.monitoring.watch import watch

FEATURES = [f"feature_{index}" for index in range(20)]
CONFIG = MonitoringConfig.model_validate({"metrics": ["feature_drift"], "data_drift_detection": {"method": "psi"}})


def rows(random: np.random.Generator, count: int) -> pl.DataFrame:
    columns = {name: random.normal(size=count) for name in FEATURES}
    return pl.DataFrame({**columns, "prediction": random.random(count)})


def year(days: int, count: int) -> list[float]:
    """CPU seconds a day."""
    random, spent = np.random.default_rng(0), []
    with tempfile.TemporaryDirectory() as folder:
        tables = DriftTables(*(f"{folder}/{name}" for name in ("references", "profiles", "drift")))
        reference = rows(random, 100_000)
        for day in range(1, days + 1):
            window = pl.lit(str(date(2024, 1, 1) + timedelta(days=day)))
            batch = rows(random, count).with_columns(window=window)
            start = time.process_time()
            watch(tables, batch, day, version="1", features=FEATURES, training=lambda: reference, config=CONFIG)
            spent.append(time.process_time() - start)
    return spent


def main(days: int, count: int) -> None:
    spent = year(days, count)
    table = Table("day", "CPU s", "x day 2", title=f"a day of {count:,} rows, 20 features")
    first = median(spent[1:6])
    for day in (2, 10, 30, 100, 200, days):
        if day <= days:
            end = min(day + 4, days)
            own = median(spent[end - 5 : end] if day > 2 else spent[1:6])
            table.add_row(str(day), f"{own:.3f}", f"{own / first:.2f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    main(*(int(given) for given in (sys.argv[1:] + ["365", "2000"][len(sys.argv) - 1 :])))
