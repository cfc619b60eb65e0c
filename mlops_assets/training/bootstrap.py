"""The paired bootstrap: how much better one model is than another on the same rows, and how sure that is."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlops_assets.training.evaluation import Outcomes, weighted_value
from mlops_assets.training.metrics import LABEL, Metric
from mlops_assets.training.shapes import SHAPES, Floats, Statistic


def paired_gains(
    wanted: Metric,
    challenger: Outcomes,
    champion: Outcomes,
    truth: Any,
    *,
    samples: int,
    seed: int = 0,
    groups: NDArray[np.int64] | None = None,
) -> Floats:
    """The challenger's value minus the champion's on `samples` resamples of the n rows, shape (samples,).

    Both are measured on the same resample. With `groups` (n,) whole groups are drawn (the cluster bootstrap, Field and
    Welsh 2007), so that rows that are alike do not count as so many. Resamples in which the metric is undefined are
    left out.
    """
    better, worse = statistic(wanted, challenger, truth), statistic(wanted, champion, truth)
    names, place = (None, None) if groups is None else np.unique(groups, return_inverse=True)
    drawn = resamples(len(truth) if names is None else len(names), samples, seed)
    each_row = (counts if place is None else counts[place] for counts in drawn)
    gains = [better(counts) - worse(counts) for counts in each_row]
    found = np.asarray(gains, dtype=np.float64)
    return found[np.isfinite(found)]


def resamples(rows: int, samples: int, seed: int) -> Iterator[Floats]:
    """How often each row is drawn, shape (rows,), for each of `samples` draws with replacement."""
    random = np.random.default_rng(seed)
    for _ in range(samples):
        drawn = random.integers(0, rows, rows, dtype=np.int32)
        yield np.bincount(drawn, minlength=rows).astype(np.float64)


def statistic(wanted: Metric, found: Outcomes, truth: Any) -> Statistic:
    """The metric as a function of row counts, shape (n,); what does not depend on them is done once."""
    if wanted.function == "roc_auc_score" and found.scores is not None and found.scores.ndim == 1:
        return _signed(wanted, _area_under_roc(truth == _positive(found), found.scores))
    if wanted.function in SHAPES:
        return _signed(wanted, SHAPES[wanted.function](found))
    losses = row_losses(wanted, found, truth)
    if losses is None:
        return _of_cells(wanted, found, truth) if wanted.of == LABEL else _of_rows(wanted, found, truth)
    if wanted.function == "root_mean_squared_error":
        return _signed(wanted, lambda counts: float(np.sqrt(_dot(counts, losses) / counts.sum())))
    return _signed(wanted, lambda counts: _dot(counts, losses) / counts.sum())


def _of_rows(wanted: Metric, found: Outcomes, truth: Any) -> Statistic:
    return lambda counts: weighted_value(wanted, found, truth, counts)


def _of_cells(wanted: Metric, found: Outcomes, truth: Any) -> Statistic:
    """A metric of labels is that of the table of truth against prediction, whose cells are few, weighted by rows."""
    true, row = np.unique(truth, return_inverse=True)
    said, column = np.unique(found.labels, return_inverse=True)
    cells, place = np.unique(row * len(said) + column, return_inverse=True)
    of_cells = _of_rows(wanted, Outcomes(said[cells % len(said)], found.classes), true[cells // len(said)])
    return lambda counts: of_cells(np.bincount(place, counts, len(cells)).astype(np.float64))


def row_losses(wanted: Metric, found: Outcomes, truth: Any) -> Floats | None:
    """Per-row values whose mean is the metric (of rmse: its square), (n,); None where it is no mean."""
    if wanted.of == LABEL:
        right = np.asarray(found.labels == truth, dtype=np.float64)
        return {"accuracy_score": right, "zero_one_loss": 1 - right}.get(wanted.function)
    if wanted.function in ("log_loss", "brier_score_loss") and _is_binary(found):
        return _probability_losses(wanted, found.probabilities[:, 1], truth == _positive(found))
    if found.classes is None:
        error = np.abs(np.asarray(found.labels, dtype=np.float64) - truth)
        squared = ("mean_squared_error", "root_mean_squared_error")
        losses = {"mean_absolute_error": error, **dict.fromkeys(squared, error**2)}
        return losses.get(wanted.function)
    return None


def _probability_losses(wanted: Metric, probability: Floats, positive: NDArray[np.bool_]) -> Floats:
    if wanted.function == "brier_score_loss":
        return np.asarray((probability - positive) ** 2)
    tiny = np.finfo(probability.dtype).eps
    return np.asarray(-np.log(np.clip(np.where(positive, probability, 1 - probability), tiny, 1 - tiny)))


def _area_under_roc(positive: NDArray[np.bool_], scores: Floats) -> Statistic:
    """The Mann-Whitney form: for each positive row the negatives below it, those level with it as halves."""
    negatives, positives = np.flatnonzero(~positive), np.flatnonzero(positive)
    negatives = negatives[np.argsort(scores[negatives], kind="stable")]
    below = np.searchsorted(scores[negatives], scores[positives], side="left")
    level = np.searchsorted(scores[negatives], scores[positives], side="right")
    tied = np.flatnonzero(level > below)

    def area(counts: Floats) -> float:
        drawn = counts[positives]
        lower = np.concatenate([[0.0], np.cumsum(counts[negatives])])
        wins = _dot(drawn, lower[below])
        wins += _dot(drawn[tied], lower[level[tied]] - lower[below[tied]]) / 2
        pairs = drawn.sum() * lower[-1]
        return float(wins / pairs) if pairs else float("nan")

    return area


def _dot(left: Floats, right: Floats) -> float:
    """The inner product without BLAS, whose threads wait for each other longer than this takes."""
    return float(np.einsum("i,i->", left, right))


def _signed(wanted: Metric, plain: Statistic) -> Statistic:
    return plain if wanted.sign == 1 else lambda counts: wanted.sign * plain(counts)


def _is_binary(found: Outcomes) -> bool:
    return found.classes is not None and len(found.classes) == 2 and found.probabilities is not None


def _positive(found: Outcomes) -> Any:
    assert found.classes is not None
    return found.classes[1]
