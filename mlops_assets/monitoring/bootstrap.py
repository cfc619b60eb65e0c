"""Intervals of a metric by resampling rows, all samples at once."""

import numpy as np
from numpy.typing import NDArray

from mlops_assets.monitoring.metrics import Metric, Outcomes

BLOCK = 4_000_000


def bootstrap_interval(
    metric: Metric, outcomes: Outcomes, *, samples: int = 200, seed: int = 0, level: float = 0.95
) -> tuple[float, float] | None:
    """Percentile interval over resampled rows; None where fewer than half of the samples have a value."""
    random, n = np.random.default_rng(seed), len(outcomes.label)
    block = max(BLOCK // max(n, 1), 1)
    values = np.concatenate(
        [
            metric.weighted(outcomes, _resampled(random, min(block, samples - start), n))
            for start in range(0, samples, block)
        ]
    )
    found = values[np.isfinite(values)]
    if len(found) * 2 < samples:
        return None
    lower, upper = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return float(lower), float(upper)


def _resampled(random: np.random.Generator, samples: int, n: int) -> NDArray[np.float64]:
    """How often each of n rows is drawn in each of `samples` samples, shape (samples, n)."""
    drawn = random.integers(0, n, (samples, n)) + np.arange(samples)[:, None] * n
    return np.bincount(drawn.ravel(), minlength=samples * n).reshape(samples, n).astype(np.float64)
