"""How well a model did, window by window, once labels arrive.

What is not known is null with a reason, never 0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np
import polars as pl

from mlops_assets.monitoring.bins import Floats
from mlops_assets.monitoring.bootstrap import bootstrap_interval
from mlops_assets.monitoring.directions import canonical, higher_is_better
from mlops_assets.monitoring.estimates import PREFIX, estimate
from mlops_assets.monitoring.metrics import (
    Metric,
    Outcomes,
    known_metric,
    score,
    undefined,
)

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
    positive: Any = None,
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
    classifiers, and the label, null where it has not arrived. `positive` is the positive class (default True,
    1 or the only label that says so). `estimates` name metrics that are also estimated without labels.
    ValueError for a missing column, an unknown metric or labels whose positive class cannot be told.
    """
    _require_columns(frame, [window, version, prediction, label])
    asked = [(canonical(name), known_metric(name)) for name in metrics]
    is_classifier = bool(estimates) or any(metric.classifier for _, metric in asked)
    target = _positive(frame[label], positive) if is_classifier else None
    described = []
    for key, rows in sorted(frame.group_by(window, version), key=lambda item: _sortable(item[0])):
        everything = _outcomes(rows, label, prediction, probability, target)
        known = _outcomes(rows.drop_nulls(label), label, prediction, probability, target)
        measured = [
            _measure(name, metric, known, (samples if index == 0 else 0, seed))
            for index, (name, metric) in enumerate(asked)
        ]
        measured += [_estimated(name, everything) for name in estimates]
        described.append(WindowPerformance(str(key[0]), str(key[1]), rows.height, len(known.label), tuple(measured)))
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


def _measure(name: str, metric: Metric, known: Outcomes, bootstrap: tuple[int, int]) -> MetricValue:
    better, samples = higher_is_better(name), bootstrap[0]
    if (reason := undefined(metric, known)) is not None:
        return MetricValue(name, None, higher_is_better=better, reason=reason)
    interval = bootstrap_interval(metric, known, samples=samples, seed=bootstrap[1]) if samples else None
    lower, upper = interval or (None, None)
    return MetricValue(name, score(metric, known), lower, upper, better)


def _estimated(metric: str, rows: Outcomes) -> MetricValue:
    name, better = PREFIX + canonical(metric), higher_is_better(metric)
    if rows.probability is None:
        return MetricValue(name, None, higher_is_better=better, reason="no probabilities")
    value = estimate(metric, rows.probability, rows.prediction)
    reason = "undefined for these probabilities" if value is None else None
    return MetricValue(name, value, higher_is_better=better, reason=reason)


def _outcomes(rows: pl.DataFrame, label: str, prediction: str, probability: str, positive: Any) -> Outcomes:
    known = probability in rows.columns and rows[probability].null_count() < rows.height
    rows = rows.drop_nulls([prediction, probability] if known else [prediction])
    given = rows[probability].cast(pl.Float64).to_numpy() if known else None
    return Outcomes(_numbers(rows[label], positive), _numbers(rows[prediction], positive), given)


def _numbers(series: pl.Series, positive: Any) -> Floats:
    if positive is None:
        return np.asarray(series.cast(pl.Float64).to_numpy())
    if isinstance(positive, bool | int | float):
        series, positive = series.cast(pl.Float64), float(positive)
    return np.asarray((series == positive).cast(pl.Float64).to_numpy())


def _positive(labels: pl.Series, positive: Any) -> Any:
    classes = labels.drop_nulls().unique().sort().to_list()
    if positive is not None:
        return positive
    if set(classes) <= {0, 1}:
        return 1
    raise ValueError(f"column {labels.name!r} holds {classes[:5]}; say which class is positive")


def _sortable(key: tuple[Any, ...]) -> tuple[Any, int, str]:
    version = str(key[1])
    return key[0], int(version) if version.isdigit() else 0, version


def _require_columns(frame: pl.DataFrame, columns: Sequence[str]) -> None:
    for name in columns:
        if name not in frame.columns:
            nearest = get_close_matches(name, frame.columns, n=1)
            hint = f"did you mean {nearest[0]!r}?" if nearest else f"there are {', '.join(frame.columns)}"
            raise ValueError(f"there is no column {name!r} to measure performance on; {hint}")
