"""A model's metrics on labelled rows; one that is undefined there is null, with the reason."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops_assets.training.metrics import CLUSTER, LABEL, PROBABILITY, SCORE, SHAPE, Metric, metric

if TYPE_CHECKING:
    import pandas

SHAPE_SAMPLE = 5_000
# Classifiers that predict the likeliest class: asked for probabilities they need not be asked again.
LIKELIEST = frozenset(
    {"HistGradientBoostingClassifier", "RandomForestClassifier", "ExtraTreesClassifier", "CalibratedClassifierCV"}
)


@dataclass(frozen=True)
class Evaluation:
    """Metric name to value, null where it is undefined; `reasons` says why."""

    values: Mapping[str, float | None]
    reasons: Mapping[str, str]


@dataclass(frozen=True)
class Outcomes:
    """What a model says of n rows.

    `labels` (n,); `probabilities` (n, classes) in the order of `classes`; `scores` rank rows: (n,) for two
    classes, else (n, classes).
    """

    labels: Any
    classes: Sequence[Any] | None = None
    probabilities: Any = None
    scores: Any = None
    features: Any = None

    def at(self, rows: Any) -> "Outcomes":
        """The same of some rows, by number or mask."""
        kept = [None if each is None else each[rows] for each in (self.probabilities, self.scores, self.features)]
        return Outcomes(self.labels[rows], self.classes, *kept)


def outcomes(pipeline: Any, table: "pandas.DataFrame", model_type: str) -> Outcomes:
    """What `pipeline` says of the rows of `table` (its raw columns); features are transformed once."""
    features, final = pipeline[:-1].transform(table), pipeline[-1]
    if model_type == "anomaly_detection":
        return Outcomes(final.predict(features) == -1, [False, True], scores=-final.score_samples(features))
    if model_type == "clustering":
        return Outcomes(final.predict(features), features=features)
    if model_type == "regression":
        return Outcomes(final.predict(features))
    classes = list(final.classes_)
    if hasattr(final, "predict_proba"):
        probabilities = final.predict_proba(features)
        scores = probabilities[:, 1] if len(classes) == 2 else probabilities
        likeliest = type(final).__name__ in LIKELIEST
        labels = final.classes_[probabilities.argmax(axis=1)] if likeliest else final.predict(features)
        return Outcomes(labels, classes, probabilities, scores)
    scores = final.decision_function(features) if hasattr(final, "decision_function") else None
    return Outcomes(final.predict(features), classes, scores=scores)


def evaluate(found: Outcomes, truth: Any, names: Sequence[str]) -> Evaluation:
    """The metrics `names` of n rows with labels `truth`, shape (n,)."""
    values: dict[str, float | None] = {}
    reasons: dict[str, str] = {}
    for name in names:
        values[name], reason = value_of(metric(name), found, truth)
        if reason:
            reasons[name] = reason
    return Evaluation(values, reasons)


def value_of(wanted: Metric, found: Outcomes, truth: Any) -> tuple[float | None, str]:
    """One metric and an empty reason, or null and why it is undefined."""
    import numpy as np

    if not len(found.labels):
        return None, "there are no rows"
    if wanted.of == PROBABILITY and found.probabilities is None:
        return None, "the estimator gives no probabilities"
    if wanted.of == SCORE and found.scores is None:
        return None, "the estimator ranks no rows"
    with warnings.catch_warnings(record=True) as noted:
        warnings.simplefilter("always")
        try:
            value = float(_compute(wanted, found, truth))
        except ValueError as error:
            return None, str(error).splitlines()[0]
    if np.isfinite(value):
        return wanted.sign * value, ""
    return None, str(noted[-1].message).splitlines()[0] if noted else "it is not a finite number"


def shape_rows(found: Outcomes) -> Any:
    """The numbers of at most SHAPE_SAMPLE rows, evenly over all: a silhouette takes the distance of every two."""
    import numpy as np

    return np.unique(np.linspace(0, len(found.labels) - 1, SHAPE_SAMPLE).astype(np.int64))


def weighted_value(wanted: Metric, found: Outcomes, truth: Any, counts: Any) -> float:
    """The metric where row i counts `counts[i]` times, shape (n,); NaN where it is undefined."""
    import numpy as np

    if wanted.of in (SHAPE, CLUSTER) or wanted.function == "max_error":
        rows = np.repeat(np.arange(len(counts)), counts.astype(np.int64))
        value, _ = value_of(wanted, found.at(rows), truth[rows])
        return float("nan") if value is None else value
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(wanted.sign * _compute(wanted, found, truth, counts))


def _compute(wanted: Metric, found: Outcomes, truth: Any, weights: Any = None) -> Any:
    from sklearn import metrics

    from mlops_assets.training import own_metrics

    function = getattr(own_metrics, wanted.function, None) or getattr(metrics, wanted.function)
    options = dict(wanted.options)
    weighted = {} if weights is None else {"sample_weight": weights}
    if wanted.of == SHAPE:
        rows = shape_rows(found) if wanted.function == "silhouette_score" else slice(None)
        return function(found.features[rows], found.labels[rows])
    if found.classes is None:
        return function(truth, found.labels, **options, **weighted)
    codes, predicted = _codes(truth, found.classes), _codes(found.labels, found.classes)
    binary = len(found.classes) == 2
    if wanted.of == LABEL:
        if "average" in options:
            average = options["average"]
            options["average"] = average if average != "default" else "binary" if binary else "macro"
            undefined = binary and wanted.function != "jaccard_score"
            options["zero_division"] = float("nan") if undefined else 0.0
        return function(codes, predicted, **options, **weighted)
    given = found.probabilities if wanted.of == PROBABILITY else found.scores
    if binary:
        return function(codes, given[:, 1] if given.ndim == 2 else given, **_labels(wanted, 2), **weighted)
    return function(codes, given, **options, **_labels(wanted, len(found.classes)), **weighted)


def _labels(wanted: Metric, classes: int) -> dict[str, Any]:
    takes = (
        "log_loss",
        "d2_log_loss_score",
        "top_k_accuracy_score",
        "hinge_loss",
        "brier_score_loss",
        "d2_brier_score",
    )
    return {"labels": list(range(classes))} if wanted.function in takes else {}


def _codes(labels: Any, classes: Sequence[Any]) -> Any:
    """Labels as their number among the classes, which ascend, -1 for a label the model has never seen."""
    import numpy as np

    known, given = np.asarray(classes), np.asarray(labels)
    place = np.minimum(np.searchsorted(known, given), len(known) - 1)
    return np.where(known[place] == given, place, -1)
