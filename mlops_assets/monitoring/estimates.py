"""What a classifier's performance should be before labels arrive, from its probabilities alone.

Confidence-based performance estimation (CBPE): a calibrated probability p says that the row is positive with
weight p and negative with weight 1 - p. It sees a change of the inputs, not a change of what the inputs mean;
it is an estimate.
"""

from collections.abc import Callable

import numpy as np

from mlops_assets.monitoring.bins import Floats
from mlops_assets.monitoring.directions import canonical, nearest_metric
from mlops_assets.monitoring.metrics import area_under_roc

PREFIX = "estimated_"
CELLS = 1 << 16
CLOSE = 1e-5


def _roc_auc(probability: Floats, _prediction: Floats) -> float:
    """Counted into equal cells where that is off by 1e-5 at most, whatever the order within them, else sorted."""
    cells = np.minimum((probability * CELLS).astype(np.int64), CELLS - 1)
    positive: Floats = np.bincount(cells, weights=probability, minlength=CELLS).astype(np.float64)
    negative = np.bincount(cells, minlength=CELLS) - positive
    if (positive * negative).sum() / 2 <= CLOSE * positive.sum() * negative.sum():
        return _area(positive, negative)
    scores, held = np.unique(probability, return_counts=True)
    return _area(held * scores, held * (1 - scores))


def _area(positive: Floats, negative: Floats) -> float:
    return float(area_under_roc(positive[None, :], negative[None, :])[0])


def _accuracy(probability: Floats, prediction: Floats) -> float:
    return float(np.where(prediction > 0, probability, 1 - probability).mean())


def _precision(probability: Floats, prediction: Floats) -> float:
    return _ratio((probability * prediction).sum(), prediction.sum())


def _recall(probability: Floats, prediction: Floats) -> float:
    return _ratio((probability * prediction).sum(), probability.sum())


def _f1(probability: Floats, prediction: Floats) -> float:
    return _ratio(2 * (probability * prediction).sum(), probability.sum() + prediction.sum())


def _brier_score(probability: Floats, _prediction: Floats) -> float:
    return float((probability * (1 - probability)).mean())


def _ratio(above: float, below: float) -> float:
    return float(above / below) if below > 0 else float("nan")


ESTIMATES: dict[str, Callable[[Floats, Floats], float]] = {
    "roc_auc": _roc_auc,
    "accuracy": _accuracy,
    "precision": _precision,
    "recall": _recall,
    "f1_score": _f1,
    "brier_score": _brier_score,
}


def estimate(metric: str, probability: Floats, prediction: Floats) -> float | None:
    """The expected value of a metric over rows without labels; None where it is undefined.

    `probability` (n,) is calibrated and of the positive class, `prediction` (n,) is 1.0 where positive is
    predicted. ValueError for a metric that has no estimate.
    """
    name = canonical(metric)
    if name not in ESTIMATES:
        raise ValueError(f"there is no estimate of {metric!r}; {nearest_metric(name, frozenset(ESTIMATES))}")
    if len(probability) == 0:
        return None
    value = ESTIMATES[name](probability, prediction)
    return value if np.isfinite(value) else None
