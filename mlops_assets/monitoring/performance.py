"""How well a model did, window by window, once labels arrive.

What is not known is null with a reason, never 0.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np
import polars as pl

from mlops_assets.monitoring.any_metric import Classes, any_metric
from mlops_assets.monitoring.bins import Floats
from mlops_assets.monitoring.bootstrap import bootstrap_interval
from mlops_assets.monitoring.directions import canonical, higher_is_better
from mlops_assets.monitoring.estimates import PREFIX, estimate
from mlops_assets.monitoring.metrics import METRICS, Outcomes, score, undefined
from mlops_assets.training.metrics import KINDS
from mlops_assets.training.metrics import metric as metric_of

PERFORMANCE_SCHEMA = pl.Schema(
    {
        "window": pl.String,
        "version": pl.String,
        "rows": pl.Int64,
        "labelled": pl.Int64,
        "coverage": pl.Float64,
        "metric": pl.String,
        "value": pl.Float64,
        "lower": pl.Float64,
        "upper": pl.Float64,
        "higher_is_better": pl.Boolean,
        "reason": pl.String,
    }
)
"""One row per window, version and metric, as `performance_frame` makes them."""


@dataclass(frozen=True)
class MetricValue:
    """A metric's value with its 95 % bootstrap interval (main metric only), or None and the reason why."""

    name: str
    value: float | None
    lower: float | None = None
    upper: float | None = None
    higher_is_better: bool = True
    reason: str | None = None


@dataclass(frozen=True)
class WindowPerformance:
    """One window and model version.

    Predictions made, those whose label has arrived, and each metric over the latter.
    """

    window: str
    version: str
    rows: int
    labelled: int
    metrics: tuple[MetricValue, ...]

    @property
    def coverage(self) -> float:
        """Labelled share of the rows."""
        return self.labelled / self.rows if self.rows else 0.0

    def value(self, metric: str) -> float | None:
        """The value of a metric by any of its names; None where it is undefined or was not asked for."""
        estimated = metric.startswith(PREFIX)
        wanted = (PREFIX if estimated else "") + canonical(metric)
        return next((one.value for one in self.metrics if one.name == wanted), None)


@dataclass(frozen=True)
class Breach:
    """A metric beyond its alert threshold, in its own bad direction."""

    window: str
    version: str
    metric: str
    value: float
    threshold: float
    higher_is_better: bool


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
    """Metrics per window and version, in their order; the first of `metrics` has a bootstrap interval.

    `frame` has a row per prediction: window, version, prediction, `probability` of the positive class for
    classifiers (of the predicted one where there are more than two), and the label, null where it has not arrived.
    `classes` gives the labels that a version tells apart, ascending, the positive one last where there are two; without
    it they are 0 and 1. `estimates` name metrics that are also estimated without labels.
    ValueError for a missing column, an unknown metric, or labels of a version that does not say its classes.
    """
    _require_columns(frame, [window, version, prediction, label])
    directions = [higher_is_better(name) for name in metrics]
    is_classifier = bool(estimates) or any(_classifies(name) for name in metrics)
    shown = [pl.col(prediction).alias("prediction"), pl.col(label).alias("label")]
    given = pl.col(probability).cast(pl.Float64) if probability in frame.columns else pl.lit(None, pl.Float64)
    found = frame.select(pl.col(window).alias("window"), pl.col(version).alias("version"), *shown, probability=given)
    described = []
    for key, rows in sorted(found.group_by("window", "version"), key=lambda item: _sortable(item[0])):
        told = _classes(rows["label"], label, str(key[1]), classes) if is_classifier else None
        known = rows.drop_nulls(["label", "prediction"])
        measured = [
            _measure(canonical(name), better, known, told, (0 if index else samples, seed))
            for index, (name, better) in enumerate(zip(metrics, directions, strict=True))
        ]
        measured += [_estimated(name, rows, told or ()) for name in estimates]
        described.append(WindowPerformance(str(key[0]), str(key[1]), rows.height, known.height, tuple(measured)))
    return described


def performance_alarm(
    history: Sequence[WindowPerformance], thresholds: Mapping[str, float], *, min_labelled: int = 1
) -> list[Breach]:
    """Every metric of `history` beyond its threshold.

    Below it where higher is better, above it where lower is.

    Thresholds of metrics that the history does not carry, and values that are undefined or rest on fewer than
    `min_labelled` labels, are no breach; an estimate is held only against a threshold that names it
    (`estimated_roc_auc`).
    """
    breaches = []
    for performance in history:
        for name, threshold in thresholds.items():
            value = performance.value(name)
            enough = name.startswith(PREFIX) or performance.labelled >= min_labelled
            if value is None or not enough:
                continue
            better = higher_is_better(name)
            if value < threshold if better else value > threshold:
                breaches.append(Breach(performance.window, performance.version, name, value, threshold, better))
    return breaches


def performance_frame(history: Sequence[WindowPerformance]) -> pl.DataFrame:
    """Long rows of `PERFORMANCE_SCHEMA`, to be stored."""
    rows = [
        {
            "window": one.window,
            "version": one.version,
            "rows": one.rows,
            "labelled": one.labelled,
            "coverage": one.coverage,
            "metric": value.name,
            **{name: found for name, found in asdict(value).items() if name != "name"},
        }
        for one in history
        for value in one.metrics
    ]
    return pl.DataFrame(rows, schema=PERFORMANCE_SCHEMA)


def performance_from_frame(frame: pl.DataFrame) -> list[WindowPerformance]:
    """What `performance_frame` stored, by window and version."""
    found = []
    for key, rows in frame.group_by("window", "version", maintain_order=True):
        values = rows.select(pl.col("metric").alias("name"), "value", "lower", "upper", "higher_is_better", "reason")
        metrics = tuple(MetricValue(**row) for row in values.iter_rows(named=True))
        found.append(WindowPerformance(str(key[0]), str(key[1]), rows["rows"][0], rows["labelled"][0], metrics))
    return found


def _classifies(name: str) -> bool:
    return metric_of(canonical(name)).of in KINDS["classification"]


def _classes(labels: pl.Series, column: str, version: str, classes: Callable[[str], Classes] | None) -> Classes:
    """What a version tells apart; 0 and 1 where it does not say so and the labels are those."""
    known = classes(version) if classes else ()
    seen = labels.drop_nulls().unique().sort().to_list()
    if known or set(seen) <= {0, 1}:
        return known or (0, 1)
    raise ValueError(
        f"column '{column}' holds {seen[:5]}, and version {version} does not say which classes it tells apart: "
        "an earlier package trained it; train it again"
    )


def _measure(
    name: str, better: bool, known: pl.DataFrame, classes: Classes | None, bootstrap: tuple[int, int]
) -> MetricValue:
    samples, seed = bootstrap
    quick = METRICS.get(name)
    if quick is None or not _two(known["label"], classes):
        value, (lower, upper), reason = any_metric(name, known, classes, samples=samples, seed=seed)
        return MetricValue(name, value, lower, upper, better, reason)
    outcomes = _outcomes(known, classes)
    if (reason := undefined(quick, outcomes)) is not None:
        return MetricValue(name, None, higher_is_better=better, reason=reason)
    interval = bootstrap_interval(quick, outcomes, samples=samples, seed=seed) if samples else None
    lower, upper = interval or (None, None)
    return MetricValue(name, score(quick, outcomes), lower, upper, better)


def _two(labels: pl.Series, classes: Classes | None) -> bool:
    """Whether the labels are a regression's, or of two classes and no other."""
    return classes is None or (len(classes) == 2 and set(labels.unique().to_list()) <= set(classes))


def _estimated(metric: str, rows: pl.DataFrame, classes: Classes) -> MetricValue:
    name, better = PREFIX + canonical(metric), higher_is_better(metric)
    outcomes = _outcomes(rows.drop_nulls("prediction"), classes)
    if outcomes.probability is None:
        return MetricValue(name, None, higher_is_better=better, reason="no probabilities")
    if len(classes) > 2 and canonical(metric) != "accuracy":
        return MetricValue(name, None, higher_is_better=better, reason="no estimate for more than two classes")
    # Of more than two classes the probability is the predicted one's: each row is predicted "positive".
    predicted = outcomes.prediction if len(classes) == 2 else np.ones_like(outcomes.probability)
    value = estimate(metric, outcomes.probability, predicted)
    reason = "undefined for these probabilities" if value is None else None
    return MetricValue(name, value, higher_is_better=better, reason=reason)


def _outcomes(rows: pl.DataFrame, classes: Classes | None) -> Outcomes:
    given = rows["probability"].null_count() < rows.height
    rows = rows.drop_nulls("probability") if given else rows
    positive = classes[-1] if classes else None
    known = rows["probability"].to_numpy() if given else None
    return Outcomes(_numbers(rows["label"], positive), _numbers(rows["prediction"], positive), known)


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
            raise ValueError(f"there is no column {name!r} to measure performance on; {hint}")
