"""Intervals of metrics by resampling rows, all samples at once."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mlops_assets.monitoring.metrics import Metric, Outcomes

BLOCK = 4_000_000


Interval = tuple[float, float]


def bootstrap_interval(metric: Metric, outcomes: Outcomes, *, samples: int = 200, seed: int = 0) -> Interval | None:
    """95 % percentile interval over resampled rows; None where fewer than half of the samples have a value."""
    return bootstrap_intervals([metric], outcomes, samples=samples, seed=seed)[0]


def bootstrap_intervals(
    metrics: Sequence[Metric], outcomes: Outcomes, *, samples: int = 200, seed: int = 0
) -> list[Interval | None]:
    """Those of several metrics over the same resampled rows."""
    if not metrics:
        return []
    random, n = np.random.default_rng(seed), len(outcomes.label)
    block = max(BLOCK // max(n, 1), 1)
    drawn = (_resampled(random, min(block, samples - start), n) for start in range(0, samples, block))
    values = zip(*([metric.weighted(outcomes, rows) for metric in metrics] for rows in drawn), strict=True)
    return [_interval(np.concatenate(found), samples) for found in values]


def _interval(values: NDArray[np.float64], samples: int, level: float = 0.95) -> Interval | None:
    found = values[np.isfinite(values)]
    if len(found) * 2 < samples:
        return None
    lower, upper = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return float(lower), float(upper)


def _resampled(random: np.random.Generator, samples: int, n: int) -> NDArray[np.float64]:
    """How often each of n rows is drawn in each of `samples` samples, shape (samples, n)."""
    drawn = random.integers(0, n, (samples, n)) + np.arange(samples)[:, None] * n
    return np.bincount(drawn.ravel(), minlength=samples * n).reshape(samples, n).astype(np.float64)
