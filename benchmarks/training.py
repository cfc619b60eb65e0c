"""CPU seconds of a training beside the same scikit-learn fit by hand, and of the as-of join beside bare engines.

    python benchmarks/training.py [rows] [events] [labels]

Training is all that the asset does from its table to a registered version: reading, splits, fit, metrics, gate,
figures, model file, registration. The bare fit is what a person writes by hand with the same libraries: read the same
table, split it, make a pandas frame, fit the same estimator on the training rows and ask it for the probabilities of
the others; no metric, no file, nothing logged. The first training of a process is measured in a process of its own, and
so is its bare fit: each pays for what it imports, scikit-learn and pandas on both sides, MLflow, skops and matplotlib
on the asset's alone. Loading MLflow and opening its store, which one number logged by hand would cost too, is told
beside it. The store is made before, once per machine. The last line is measured where everything is loaded. Both sides
alternate, the least of three is shown, and OpenMP's threads wait asleep: else their waiting, on a busy machine, would
count as work. The join is 10 M events by 1 M labels: ours, bare Polars and, where it is installed, DuckDB, in turn; the
least of five.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mlops_assets.config import FeatureConfig, TrainingConfig
from mlops_assets.config.features import Join
from mlops_assets.features.joins import join_tables
from mlops_assets.lake import delta
from mlops_assets.registry import ModelRegistry
from mlops_assets.training.candidate import Candidate, train
from mlops_assets.training.lineage import lineage_of
from mlops_assets.training.size import training_rows

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # read when scikit-learn is loaded

NUMBERS = [f"number_{index}" for index in range(15)]
TEXTS = [f"text_{index}" for index in range(8)]
HYPERPARAMETERS = {"max_iter": 200, "learning_rate": 0.05, "min_samples_leaf": 200, "early_stopping": False}


def measured(action: Callable[[], Any]) -> tuple[float, float, Any]:
    """CPU seconds of all threads, seconds on the clock, and what came out."""
    cpu, wall = time.process_time(), time.perf_counter()
    found = action()
    return time.process_time() - cpu, time.perf_counter() - wall, found


def sample(rows: int) -> pl.DataFrame:
    random = np.random.default_rng(0)
    columns = {name: random.normal(size=rows) for name in NUMBERS}
    texts = {name: pl.Series(random.integers(0, 40, rows)).cast(pl.String) for name in TEXTS}
    start = datetime(2024, 1, 1, tzinfo=UTC)
    times = pl.datetime_range(start, interval="1m", end=start, eager=True)[0]
    label = columns["number_0"] + 0.3 * columns["number_1"] + random.normal(size=rows) > 1
    frame = pl.DataFrame({"id": range(rows), **columns, **texts, "label": label})
    return frame.with_columns(time=pl.lit(times) + pl.duration(minutes=pl.col("id")))


def by_hand(path: str) -> None:
    """The same estimator on as many training rows, with pandas' categories, and what it says of the others."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    frame = pl.scan_delta(path, version=0).select([*TEXTS, *NUMBERS, "label"]).collect()
    table = frame.drop("label").to_pandas().astype(dict.fromkeys(TEXTS, "category"))
    order = np.random.default_rng(0).permutation(len(table))
    train_rows, others = np.split(order, [int(len(table) * CONFIG.split_ratios[0])])
    model = HistGradientBoostingClassifier(random_state=0, categorical_features="from_dtype", **HYPERPARAMETERS)
    model.fit(table.iloc[train_rows], frame["label"].to_numpy()[train_rows])
    model.predict_proba(table.iloc[others])


FEATURES = FeatureConfig.model_validate(
    {
        "source_table": "s",
        "feature_table_name": "f",
        "primary_keys": ["id"],
        "features": [],
        "timestamp_column": "time",
    }
)
CONFIG = TrainingConfig.model_validate(
    {
        "model_type": "classification",
        "target_column": "label",
        "algorithm": "hist_gradient_boosting",
        "feature_columns": [*NUMBERS, *TEXTS],
        "hyperparameters": HYPERPARAMETERS,
        "experiment_name": "bench",
        "registry_model_name": "bench",
    }
)


@dataclass(frozen=True)
class Place:
    """A folder with the table and MLflow's store."""

    folder: str

    @property
    def table(self) -> str:
        return str(Path(self.folder) / "training_set")

    @property
    def registry(self) -> ModelRegistry:
        return ModelRegistry.below(Path(self.folder))

    def bare(self) -> tuple[float, float]:
        """CPU seconds and seconds of the fit by hand."""
        return measured(lambda: by_hand(self.table))[:2]

    def opened(self) -> tuple[float, float]:
        """CPU seconds and seconds of loading MLflow and opening its store."""
        return measured(lambda: self.registry.champion("bench"))[:2]

    def whole(self, *, promoted: bool = False) -> tuple[float, float]:
        """CPU seconds and seconds of the asset's training; the version is made champion where asked for."""
        registry, lineage = self.registry, lineage_of(CONFIG, FEATURES, {self.table: 0})

        def trained() -> Candidate:
            rows = training_rows(delta.scan(self.table, 0), CONFIG, FEATURES)
            return train(CONFIG, FEATURES, rows, registry, lineage, cause={}, again=True)

        *seconds, done = measured(trained)
        if promoted:
            registry.promote(done.version)
        return seconds[0], seconds[1]


def alone(action: Callable[[], tuple[float, float]]) -> tuple[float, float]:
    """What a process of its own measures."""
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        return process.submit(action).result()


def training(rows: int) -> None:
    """The first training of a process and one where all is loaded; then the same against a champion."""
    with tempfile.TemporaryDirectory() as folder:
        place = Place(folder)
        delta.overwrite(place.table, sample(rows), transactions={})
        place.opened()
        loading = min(alone(place.opened) for _ in range(2))
        print(f"loading MLflow and opening its store: {loading[0]:.2f} s of CPU ({loading[1]:.2f} s)", flush=True)
        shown("first of a process, no champion", rows, lambda: alone(place.whole), lambda: alone(place.bare))
        place.whole(promoted=True)
        shown("first of a process, against a champion", rows, lambda: alone(place.whole), lambda: alone(place.bare))
        place.bare()
        shown("all loaded, against a champion", rows, place.whole, place.bare)


def shown(
    what: str, rows: int, asset: Callable[[], tuple[float, float]], hand: Callable[[], tuple[float, float]]
) -> None:
    """Both in turn; the least of each."""
    pairs = [(asset(), hand()) for _ in range(3)]
    whole, bare = (min(each) for each in zip(*pairs, strict=True))
    print(
        f"training {rows:,} rows, {what}: {whole[0]:.2f} s of CPU ({whole[1]:.2f} s), the bare fit {bare[0]:.2f} s "
        f"({bare[1]:.2f} s), overhead {whole[0] - bare[0]:+.2f} s of CPU",
        flush=True,
    )


def as_of(events: int, labels: int) -> None:
    """Each label gets the newest event of its key: three engines, the same answer."""
    random = np.random.default_rng(0)

    def moments(count: int) -> pl.Series:
        return pl.Series(np.sort(random.integers(0, 365 * 86_400_000_000, count))).cast(pl.Datetime("us"))

    right = pl.DataFrame({"key": random.integers(0, 50_000, events), "seen": moments(events), "value": range(events)})
    left = pl.DataFrame({"key": random.integers(0, 50_000, labels), "time": moments(labels), "row": range(labels)})
    join = Join.model_validate({"table": "right", "on": ["key"], "as_of": "seen"})

    def ours() -> pl.DataFrame:
        return join_tables(left.lazy(), [join], {"right": right.lazy()}, time="time").collect()

    def bare() -> pl.DataFrame:
        """The join that a person writes who knows that both sides are sorted."""
        return left.join_asof(right, left_on="time", right_on="seen", by="key", check_sortedness=False)

    def duck() -> pl.DataFrame:
        import duckdb

        query = "SELECT l.*, r.value FROM l ASOF LEFT JOIN r ON l.key = r.key AND l.time >= r.seen ORDER BY l.row"
        with duckdb.connect() as database:
            database.execute("SET threads = 2")
            database.register("l", left.to_arrow())
            database.register("r", right.to_arrow())
            return pl.from_arrow(database.sql(query).to_arrow_table())

    ways: dict[str, Callable[[], pl.DataFrame]] = {"ours": ours, "bare Polars": bare}
    if find_spec("duckdb"):
        ways["DuckDB's ASOF JOIN"] = duck
    answers, runs = {}, {name: [] for name in ways}
    for _ in range(5):
        for name, way in ways.items():
            *seconds, found = measured(way)
            runs[name].append(seconds)
            # Keys with several events of one instant may take any of them.
            answers[name] = found["value"].null_count()
    for name, times in runs.items():
        cpu, wall = min(times)
        print(f"as-of join of {events:,} events by {labels:,} labels, {name}: {cpu:.2f} s of CPU, {wall:.2f} s")
    assert len(set(answers.values())) == 1, answers


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[1:]]
    rows, events, labels = (*numbers, *(100_000, 10_000_000, 1_000_000)[len(numbers) :])
    if rows:
        training(rows)
    as_of(events, labels)
