"""CPU seconds of drift between 1 M reference and 1 M current rows of 20 columns (10 numbers, 10 strings).

    python benchmarks/drift.py [rows]

Ours from scratch (fit, summarise, judge) and with the reference cached, beside scipy called column by column,
Evidently, NannyML, and the bare read of the current Parquet file, which no computation can go below; and the estimate
of a classifier's performance without labels beside NannyML's. Ours are the best of three, Evidently and NannyML are
run once, after one another, each in a process and an environment of its own that is built where it is missing.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from _environments import python_with
from rich.console import Console
from rich.table import Table
from scipy import stats

from mlops_assets.monitoring.estimates import estimate
from mlops_assets.monitoring.profile import fit_reference, reference_from_frame, summarise, to_frame
from mlops_assets.monitoring.verdict import feature_drift

PEERS = {
    "evidently": ["evidently==0.7.23", "pandas<3", "pyarrow"],
    "nannyml": ["nannyml==0.13.1", "pandas<3", "pyarrow", "statsmodels"],
}
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


def write_scores(path: Path, rows: int, seed: int) -> None:
    """Calibrated probabilities of two samples, the second with more positives, and the labels they led to."""
    random = np.random.default_rng(seed)
    probability = np.concatenate([random.beta(2, 5, rows), random.beta(2, 3, rows)])
    label = (random.random(2 * rows) < probability).astype(np.int64)
    prediction = (probability > 0.5).astype(np.int64)
    pl.DataFrame({"probability": probability, "prediction": prediction, "label": label}).write_parquet(path)


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


def by_peer(name: str, *files: Path) -> dict[str, Any]:
    """CPU seconds and values of a peer in its own environment."""
    script = Path(__file__).with_name("_drift_peers.py")
    command = [python_with(name, PEERS[name]), "-W", "ignore", script, name, *files]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def estimated(scores: Path) -> tuple[float, dict[str, float]]:
    """CPU seconds and values of the estimates over the second half of the rows."""
    found = pl.read_parquet(scores)
    half = found.slice(found.height // 2)
    probability, prediction = half["probability"].to_numpy(), half["prediction"].cast(pl.Float64).to_numpy()
    names = ("roc_auc", "accuracy")
    seconds = cpu_seconds(lambda: [estimate(name, probability, prediction) for name in names])
    return seconds, {name: float(estimate(name, probability, prediction) or 0) for name in names}


def main(rows: int) -> None:
    console = Console(width=120)
    table = Table("", "CPU s", "x from scratch", "x cached", title=f"drift, {rows:,} x {rows:,} rows, 20 columns")
    with tempfile.TemporaryDirectory() as folder:
        reference, current, scores = (Path(folder, f"{name}.parquet") for name in ("reference", "current", "scores"))
        write_sample(reference, rows, 0.0, seed=0)
        write_sample(current, rows, 0.1, seed=1)
        write_scores(scores, rows, seed=2)
        stored = to_frame(fit_reference(pl.scan_parquet(reference), [*NUMBERS, *STRINGS]))
        # The first judgement imports scipy; that is not what is measured.
        from_cache(stored, current)
        found = {
            "ours, from scratch": cpu_seconds(lambda: from_scratch(reference, current)),
            "ours, reference cached": cpu_seconds(lambda: from_cache(stored, current)),
            "scipy, column by column": cpu_seconds(lambda: by_scipy(reference, current), 1),
            "reading the current columns": cpu_seconds(lambda: pl.read_parquet(current)),
        }
        scratch, cached = list(found.values())[:2]
        peers = {name: by_peer(name, reference, current, scores) for name in PEERS}
        seconds, values = estimated(scores)
    found |= {name: cpu for peer in peers.values() for name, cpu in peer["cpu"].items()}
    fit, alone = (found.pop(f"NannyML CBPE, {what}") for what in ("fit", "estimate"))
    for name, cpu in found.items():
        table.add_row(name, f"{cpu:.3f}", f"{cpu / scratch:.1f}", f"{cpu / cached:.1f}")
    console.print(table)
    gap = max(abs(values[name] - peers["nannyml"]["values"][name]) for name in values)
    told = ", ".join(f"{name} {value:.6f}" for name, value in values.items())
    console.print(f"estimate without labels, {rows:,} rows: {told}; NannyML's differ by {gap:.1e} at most")
    console.print(
        f"CPU s: ours {seconds:.3f}; NannyML's CBPE {alone:.3f} ({alone / seconds:.1f} x) beside its fit of {fit:.3f}, "
        f"which ours has none of ({(fit + alone) / seconds:.0f} x)"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
