"""The metrics that scikit-learn has under no function of its own, with its argument order."""

from typing import Any

import numpy as np


def specificity(truth: Any, predicted: Any, sample_weight: Any = None) -> float:
    """The share of rows of the first class that are predicted so: recall of the negative class."""
    from sklearn.metrics import recall_score

    value = recall_score(truth, predicted, pos_label=0, sample_weight=sample_weight, zero_division=float("nan"))
    return float(value)


def positive_likelihood_ratio(truth: Any, predicted: Any, sample_weight: Any = None) -> float:
    """Sensitivity over one minus specificity."""
    from sklearn.metrics import class_likelihood_ratios

    return float(class_likelihood_ratios(truth, predicted, sample_weight=sample_weight)[0])


def pr_auc(truth: Any, scores: Any, sample_weight: Any = None) -> float:
    """The area under the precision-recall curve by trapezoids; average_precision is the step-wise one."""
    from sklearn.metrics import auc, precision_recall_curve

    precision, recall, _ = precision_recall_curve(truth, scores, sample_weight=sample_weight)
    return float(auc(recall, precision))


def expected_calibration_error(truth: Any, probability: Any, sample_weight: Any = None, bins: int = 10) -> float:
    """Mean |share of positives - mean probability| over equally wide bins, weighted by rows.

    Naeini et al. 2015. For more than two classes the probability is that of the predicted class and a row
    counts as positive where it is right (Guo et al. 2017).
    """
    given = np.asarray(probability, dtype=np.float64)
    if given.ndim == 2:
        truth, given = np.asarray(truth) == given.argmax(axis=1), given.max(axis=1)
    weights = np.ones(len(given)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    place = np.minimum((given * bins).astype(np.int64), bins - 1)
    gap = np.bincount(place, weights * (np.asarray(truth, dtype=np.float64) - given), minlength=bins)
    return float(np.abs(gap).sum() / weights.sum())
