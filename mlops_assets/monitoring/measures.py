"""A model's metrics by window, computed as labels arrive."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np
import polars as pl

from mlops_assets.monitoring.any_metric import NONE, Classes, Interval, any_metric
from mlops_assets.monitoring.bins import Floats
from mlops_assets.monitoring.bootstrap import bootstrap_intervals
from mlops_assets.monitoring.directions import canonical, higher_is_better
from mlops_assets.monitoring.errors import MonitoringError
from mlops_assets.monitoring.estimates import PREFIX, estimate
from mlops_assets.monitoring.metrics import METRICS, Outcomes, score, undefined
from mlops_assets.monitoring.performance import MetricValue, WindowPerformance
from mlops_assets.training.metrics import KINDS
from mlops_assets.training.metrics import metric as metric_of


def window_performance(
    frame: pl.DataFrame,
    *,
    label: str,
    metrics: Sequence[str],
    classes: Callable[[str], Classes] | None = None,
    estimates: Sequence[str] = (),
    window: str = "window",
    version: str = "version",
    prediction: str = "prediction",
    probability: str = "probability",
    samples: int = 200,
    seed: int = 0,
) -> list[WindowPerformance]:
    """Metrics per window and version, in their order, with bootstrap intervals; a metric that is not vectorized has an
    interval only if it is the first of `metrics`.

    `frame` has a row per prediction: window, version, prediction, `probability` of the positive class for
    classifiers (of the predicted one if there are more than two), and the label, null if it has not arrived.
    `classes` returns the labels that a version distinguishes, ascending, the positive one last of two; by default they
    are 0 and 1. `estimates` name metrics that are also estimated without labels.
    MonitoringError for a missing column, or for labels other than 0 and 1 if the version's classes are unknown;
    ValueError for an unknown metric.
    """
    _require_columns(frame, [window, version, prediction, label])
    wanted = {canonical(name): higher_is_better(name) for name in metrics}
    is_classifier = bool(estimates) or any(_classifies(name) for name in metrics)
    columns = [pl.col(prediction).alias("prediction"), pl.col(label).alias("label")]
    given = pl.col(probability).cast(pl.Float64) if probability in frame.columns else pl.lit(None, pl.Float64)
    predictions = frame.select(
        pl.col(window).alias("window"), pl.col(version).alias("version"), *columns, probability=given
    )
    performances = []
    for key, rows in sorted(predictions.group_by("window", "version"), key=lambda item: _sortable(item[0])):
        class_labels = _classes(rows["label"], label, str(key[1]), classes) if is_classifier else None
        known = rows.drop_nulls(["label", "prediction"])
        measured = _measured(wanted, known, class_labels, samples, seed)
        measured += [_estimated(name, rows, class_labels or ()) for name in estimates]
        performances.append(WindowPerformance(str(key[0]), str(key[1]), rows.height, known.height, tuple(measured)))
    return performances


def _classifies(name: str) -> bool:
    return metric_of(canonical(name)).of in KINDS["classification"]


def _classes(labels: pl.Series, column: str, version: str, classes: Callable[[str], Classes] | None) -> Classes:
    """The labels that a version distinguishes; 0 and 1 if it does not say so and the labels are those."""
    known = classes(version) if classes else ()
    seen = labels.drop_nulls().unique().sort().to_list()
    if known or set(seen) <= {0, 1}:
        return known or (0, 1)
    raise MonitoringError(
        f"column '{column}' holds {seen[:5]}, and version {version} does not say which classes it distinguishes: "
        "an earlier version of mlops_assets trained it; train it again"
    )


def _measured(
    wanted: Mapping[str, bool], known: pl.DataFrame, classes: Classes | None, samples: int, seed: int
) -> list[MetricValue]:
    """The value of each metric in `wanted`, which maps names to whether higher is better."""
    vectorized = (
        _vectorized_values(wanted, known, classes, samples, seed)
        if _is_binary_or_numeric(known["label"], classes)
        else {}
    )
    values = []
    for position, (name, better) in enumerate(wanted.items()):
        drawn = samples if position == 0 else 0
        result = vectorized.get(name) or any_metric(name, known, classes, samples=drawn, seed=seed)
        value, (lower, upper), reason = result
        values.append(MetricValue(name, value, lower, upper, better, reason))
    return values


def _vectorized_values(
    names: Iterable[str], known: pl.DataFrame, classes: Classes | None, samples: int, seed: int
) -> dict[str, tuple[float | None, Interval, str | None]]:
    """Value, interval, and the reason if there is no value, of the vectorized metrics."""
    vectorized = {name: METRICS[name] for name in names if name in METRICS}
    if not vectorized:  # labels of a clustering may be strings
        return {}
    outcomes = _outcomes(known, classes)
    reasons = {name: undefined(each, outcomes) for name, each in vectorized.items()}
    defined = {name: each for name, each in vectorized.items() if reasons[name] is None}
    intervals = bootstrap_intervals(list(defined.values()), outcomes, samples=samples, seed=seed) if samples else []
    drawn = dict(zip(defined, intervals, strict=False))
    return {
        name: (score(each, outcomes) if name in defined else None, drawn.get(name) or NONE, reasons[name])
        for name, each in vectorized.items()
    }


def _is_binary_or_numeric(labels: pl.Series, classes: Classes | None) -> bool:
    """Whether the labels are numbers of a regression, or of exactly two classes."""
    return classes is None or (len(classes) == 2 and set(labels.unique().to_list()) <= set(classes))


def _estimated(metric: str, rows: pl.DataFrame, classes: Classes) -> MetricValue:
    name, better = PREFIX + canonical(metric), higher_is_better(metric)
    outcomes = _outcomes(rows.drop_nulls("prediction"), classes)
    if outcomes.probability is None:
        return MetricValue(name, None, higher_is_better=better, reason="no probabilities")
    if len(classes) > 2 and canonical(metric) != "accuracy":
        return MetricValue(name, None, higher_is_better=better, reason="no estimate for more than two classes")
    # With more than two classes the probability is the predicted one's: each row counts as predicted positive.
    predicted = outcomes.prediction if len(classes) == 2 else np.ones_like(outcomes.probability)
    value = estimate(metric, outcomes.probability, predicted)
    reason = "undefined for these probabilities" if value is None else None
    return MetricValue(name, value, higher_is_better=better, reason=reason)


def _outcomes(rows: pl.DataFrame, classes: Classes | None) -> Outcomes:
    has_probability = rows["probability"].null_count() < rows.height
    rows = rows.drop_nulls("probability") if has_probability else rows
    positive = classes[-1] if classes else None
    probability = rows["probability"].to_numpy() if has_probability else None
    return Outcomes(_numbers(rows["label"], positive), _numbers(rows["prediction"], positive), probability)


def _numbers(series: pl.Series, positive: Any) -> Floats:
    if positive is None:
        return np.asarray(series.cast(pl.Float64).to_numpy())
    if isinstance(positive, bool | int | float):
        series, positive = series.cast(pl.Float64), float(positive)
    return np.asarray((series == positive).cast(pl.Float64).to_numpy())


def _sortable(key: tuple[Any, ...]) -> tuple[Any, int, str]:
    version = str(key[1])
    return key[0], int(version) if version.isdigit() else 0, version


def _require_columns(frame: pl.DataFrame, columns: Sequence[str]) -> None:
    for name in columns:
        if name not in frame.columns:
            nearest = get_close_matches(name, frame.columns, n=1)
            hint = f"did you mean {nearest[0]!r}?" if nearest else f"there are {', '.join(frame.columns)}"
            raise MonitoringError(f"there is no column {name!r} to measure performance on; {hint}")
