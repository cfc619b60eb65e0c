"""Metrics of predictions against labels.

Scikit-learn's values, and the same formulas over many weightings at once.

A weighting is a row of an array of shape (S, n): how often each of n labelled rows is counted in one of S
bootstrap samples.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mlops_assets.monitoring.bins import Floats


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Labelled rows, shape (n,): numbers as they are.

    For a classifier 1.0 where label or prediction is the positive class.
    """

    label: Floats
    prediction: Floats
    probability: Floats | None = None


Weighted = Callable[[Outcomes, Floats], Floats]


@dataclass(frozen=True)
class Metric:
    """How one metric is computed: `function` in sklearn.metrics, on the probability or on the prediction.

    `weighted` alike.
    """

    function: str
    weighted: Weighted
    on_probability: bool = False
    classifier: bool = True
    needs_both_classes: bool = False


def _mean_of(loss: Callable[[Outcomes], Floats]) -> Weighted:
    return lambda outcomes, weights: np.asarray(weights @ loss(outcomes) / weights.sum(axis=1))


def _probability(outcomes: Outcomes) -> Floats:
    assert outcomes.probability is not None
    return outcomes.probability


def _hits(outcomes: Outcomes) -> Floats:
    return np.asarray(outcomes.label == outcomes.prediction, dtype=np.float64)


def _log_losses(outcomes: Outcomes) -> Floats:
    tiny = np.finfo(np.float64).eps
    given = np.where(outcomes.label > 0, _probability(outcomes), 1 - _probability(outcomes))
    return np.asarray(-np.log(np.clip(given, tiny, 1 - tiny)))


def _confusion(outcomes: Outcomes, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Weight of true positives, of predicted positives, and of positives."""
    label, prediction = outcomes.label, outcomes.prediction
    return weights @ (label * prediction), weights @ prediction, weights @ label


def _ratio(above: Floats, below: Floats) -> Floats:
    """Zero where nothing is counted, as scikit-learn's zero_division=0."""
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)


def _f1(outcomes: Outcomes, weights: Floats) -> Floats:
    hits, predicted, positive = _confusion(outcomes, weights)
    return _ratio(2 * hits, predicted + positive)


def _precision(outcomes: Outcomes, weights: Floats) -> Floats:
    hits, predicted, _ = _confusion(outcomes, weights)
    return _ratio(hits, predicted)


def _recall(outcomes: Outcomes, weights: Floats) -> Floats:
    hits, _, positive = _confusion(outcomes, weights)
    return _ratio(hits, positive)


def _balanced(outcomes: Outcomes, weights: Floats) -> Floats:
    hits, predicted, positive = _confusion(outcomes, weights)
    negative = weights.sum(axis=1) - positive
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((hits / positive + (negative - predicted + hits) / negative) / 2)


def _r2(outcomes: Outcomes, weights: Floats) -> Floats:
    label, total = outcomes.label, weights.sum(axis=1)
    centred = label - label.mean()
    spread = weights @ centred**2 - (weights @ centred) ** 2 / total
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(1 - weights @ (label - outcomes.prediction) ** 2 / spread)


def by_score(probability: Floats, positive: Floats, negative: Floats) -> tuple[Floats, Floats]:
    """Weights of both classes, shape (S, n), summed per distinct probability: shape (S, u) each."""
    order = np.argsort(probability, kind="stable")
    starts = np.flatnonzero(np.diff(probability[order], prepend=-np.inf))
    return np.add.reduceat(positive[:, order], starts, axis=1), np.add.reduceat(negative[:, order], starts, axis=1)


def area_under_roc(positive: Floats, negative: Floats) -> Floats:
    """ROC AUC per weighting from weights per distinct score, ascending; ties count half.

    NaN with one class only.
    """
    below = np.cumsum(negative, axis=1) - negative / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((positive * below).sum(axis=1) / (positive.sum(axis=1) * negative.sum(axis=1)))


def _roc_auc(outcomes: Outcomes, weights: Floats) -> Floats:
    return area_under_roc(*by_score(_probability(outcomes), weights * outcomes.label, weights * (1 - outcomes.label)))


def _average_precision(outcomes: Outcomes, weights: Floats) -> Floats:
    label = outcomes.label
    positive, negative = by_score(_probability(outcomes), weights * label, weights * (1 - label))
    hits = np.cumsum(positive[:, ::-1], axis=1)
    predicted = hits + np.cumsum(negative[:, ::-1], axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((positive[:, ::-1] * _ratio(hits, predicted)).sum(axis=1) / positive.sum(axis=1))


def _root(weighted: Weighted) -> Weighted:
    return lambda outcomes, weights: np.sqrt(weighted(outcomes, weights))


_absolute = _mean_of(lambda outcomes: np.abs(outcomes.label - outcomes.prediction))
_squared = _mean_of(lambda outcomes: (outcomes.label - outcomes.prediction) ** 2)
_brier = _mean_of(lambda outcomes: (outcomes.label - _probability(outcomes)) ** 2)

METRICS = {
    "accuracy": Metric("accuracy_score", _mean_of(_hits)),
    "balanced_accuracy": Metric("balanced_accuracy_score", _balanced, needs_both_classes=True),
    "f1_score": Metric("f1_score", _f1),
    "precision": Metric("precision_score", _precision),
    "recall": Metric("recall_score", _recall),
    "roc_auc": Metric("roc_auc_score", _roc_auc, on_probability=True, needs_both_classes=True),
    "average_precision": Metric("average_precision_score", _average_precision, True, needs_both_classes=True),
    "log_loss": Metric("log_loss", _mean_of(_log_losses), on_probability=True),
    "brier_score": Metric("brier_score_loss", _brier, on_probability=True),
    "mae": Metric("mean_absolute_error", _absolute, classifier=False),
    "mse": Metric("mean_squared_error", _squared, classifier=False),
    "rmse": Metric("root_mean_squared_error", _root(_squared), classifier=False),
    "r2": Metric("r2_score", _r2, classifier=False),
}


def undefined(metric: Metric, outcomes: Outcomes) -> str | None:
    """Why the metric has no value on these rows, None where it has one."""
    if len(outcomes.label) == 0:
        return "no labelled rows"
    if metric.on_probability and outcomes.probability is None:
        return "no probabilities"
    classes = np.unique(outcomes.label)
    if metric.needs_both_classes and len(classes) < 2:
        return f"all {len(outcomes.label)} labels are {'positive' if classes[0] > 0 else 'negative'}"
    return _degenerate(metric, outcomes)


def _degenerate(metric: Metric, outcomes: Outcomes) -> str | None:
    if metric.function == "r2_score" and np.ptp(outcomes.label) == 0:
        return "all labels are equal"
    if metric.function == "recall_score" and not outcomes.label.any():
        return "no positive labels"
    if metric.function == "precision_score" and not outcomes.prediction.any():
        return "no positive predictions"
    if metric.function == "f1_score" and not (outcomes.label.any() or outcomes.prediction.any()):
        return "neither positive labels nor positive predictions"
    return None


def score(metric: Metric, outcomes: Outcomes) -> float:
    """The metric's value by scikit-learn; ask `undefined` first."""
    import sklearn.metrics

    given = _probability(outcomes) if metric.on_probability else outcomes.prediction
    keywords = {"labels": [0.0, 1.0]} if metric.function == "log_loss" else {}
    return float(getattr(sklearn.metrics, metric.function)(outcomes.label, given, **keywords))
