"""CPU seconds of drift between 1 M reference and 1 M current rows of 20 columns (10 numbers, 10 strings).

    python benchmarks/drift.py [rows]

Ours from scratch (fit, summarise, judge) and with the reference cached, beside scipy called column by column
and the bare read of the current Parquet file, which no computation can go below. Best of three each.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
from scipy import stats

from mlops_assets.monitoring.profile import fit_reference, reference_from_frame, summarise, to_frame
from mlops_assets.monitoring.verdict import feature_drift

NUMBERS = [f"number_{index}" for index in range(10)]
STRINGS = [f"string_{index}" for index in range(10)]
LEVELS = [3, 5, 8, 10, 20, 30, 50, 100, 200, 1000]


def write_sample(path: Path, rows: int, shift: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    columns: dict[str, object] = {name: random.normal(shift, 1, rows) for name in NUMBERS}
    for name, levels in zip(STRINGS, LEVELS, strict=True):
        codes = pl.Series(random.integers(0, levels, rows))
        columns[name] = pl.select(pl.format("level {}", codes)).to_series()
    pl.DataFrame(columns).write_parquet(path)


def from_scratch(reference: Path, current: Path) -> None:
    fitted = fit_reference(pl.scan_parquet(reference), [*NUMBERS, *STRINGS])
    feature_drift(fitted.profile, summarise(pl.scan_parquet(current), fitted))


def from_cache(stored: pl.DataFrame, current: Path) -> None:
    fitted = reference_from_frame(stored)
    feature_drift(fitted.profile, summarise(pl.scan_parquet(current), fitted))


def by_scipy(reference: Path, current: Path) -> None:
    """KS and Wasserstein of the numbers, chi-square of the strings."""
    first, second = pl.read_parquet(reference), pl.read_parquet(current)
    for name in NUMBERS:
        x, y = first[name].to_numpy(), second[name].to_numpy()
        stats.ks_2samp(x, y, method="asymp")
        stats.wasserstein_distance(x, y)
    for name in STRINGS:
        counted = [side[name].value_counts(name="rows") for side in (first, second)]
        table = counted[0].join(counted[1], on=name, how="full").select("rows", "rows_right").fill_null(0)
        stats.chi2_contingency(table.to_numpy().T)


def cpu_seconds(action: Callable[[], object], times: int = 3) -> float:
    best = float("inf")
    for _ in range(times):
        start = time.process_time()
        action()
        best = min(best, time.process_time() - start)
    return best


def main(rows: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        reference, current = Path(folder, "reference.parquet"), Path(folder, "current.parquet")
        write_sample(reference, rows, 0.0, seed=0)
        write_sample(current, rows, 0.1, seed=1)
        stored = to_frame(fit_reference(pl.scan_parquet(reference), [*NUMBERS, *STRINGS]))
        # The first judgement imports scipy; that is not what is measured.
        from_cache(stored, current)
        print(f"{rows:,} reference rows, {rows:,} current rows, 20 columns; CPU seconds, best of three")
        for name, action in (
            ("ours, from scratch", lambda: from_scratch(reference, current)),
            ("ours, reference cached", lambda: from_cache(stored, current)),
            ("scipy, column by column", lambda: by_scipy(reference, current)),
            ("reading the current columns", lambda: pl.read_parquet(current)),
        ):
            print(f"{name:<30}{cpu_seconds(action):8.3f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
