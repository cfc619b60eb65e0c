"""Performance by window, as labels arrive, for the champion and for the baseline, which is never retrained.

Only windows with new predictions or labels are measured again. Every measurement is also appended to the table of
revisions, so that what was known at an earlier time can be read again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl

from mlops_assets.lake import delta
from mlops_assets.monitoring import windowed
from mlops_assets.monitoring.any_metric import Classes
from mlops_assets.monitoring.breaches import Breach, performance_alarm
from mlops_assets.monitoring.error_stream import Change, changes
from mlops_assets.monitoring.measures import window_performance
from mlops_assets.monitoring.performance import (
    MetricValue,
    WindowPerformance,
    performance_frame,
    performance_from_frame,
)
from mlops_assets.monitoring.windows import Clock, end_of, of_length

if TYPE_CHECKING:
    from mlops_assets.config import MonitoringConfig

CHAMPION, BASELINE = "champion", "baseline"
TRACK_KEYS = ["role", "window", "version", "metric"]
DRIFT_METRICS = ("feature_drift", "prediction_drift", "data_quality")


@dataclass(frozen=True)
class Tracked:
    """The state after a run: the metrics of the newest windows (columns of PERFORMANCE_SCHEMA and role), and breaches
    and rises of errors in the newest window that has enough labels, all of them due.
    """

    performance: pl.DataFrame
    breaches: tuple[Breach, ...] = ()
    newest: WindowPerformance | None = None
    changes: tuple[Change, ...] = ()


def track(
    table: str,
    labelled: pl.DataFrame,
    *,
    label: str,
    metrics: Sequence[str],
    estimates: Sequence[str] = (),
    classes: Callable[[str], Classes] | None = None,
    more: Callable[[pl.DataFrame], Sequence[MetricValue]] | None = None,
    baseline: Callable[[pl.DataFrame], pl.DataFrame] | None,
    transactions: dict[str, int],
    config: "MonitoringConfig",
    clock: Clock,
) -> Tracked:
    """Measure the windows of `labelled`: every prediction of the windows that changed, with its label or null.

    Columns: window, version, prediction, probability (classifiers), the label, and what `baseline` needs to predict the
    same rows with the first model (it returns the frame with its own version, prediction and probability). `classes`
    are the labels that a version distinguishes (see `window_performance`). `more` is
    called with the champion's rows of one window and version.
    """
    if labelled.height:
        found = window_performance(labelled, label=label, metrics=metrics, classes=classes, estimates=estimates)
        if more is not None:
            found = [replace(one, metrics=(*one.metrics, *more(_of(labelled, one)))) for one in found]
        measured = [_by_role(CHAMPION, found)]
        if baseline is not None:
            first = window_performance(baseline(labelled), label=label, metrics=metrics, classes=classes)
            measured.append(_by_role(BASELINE, first))
        rows = pl.concat(measured)
        known_at = pl.lit(clock.now.astimezone(UTC)).cast(pl.Datetime("us", "UTC"))
        # A run killed in between measures again: a repeated revision is better than a lost one.
        windowed.append_windows(revisions_of(table), rows.with_columns(known_at=known_at), transactions={})
        windowed.replace_windows(table, rows, transactions=transactions)
    return read_tracked(table, config, clock)


def read_tracked(table: str, config: "MonitoringConfig", clock: Clock) -> Tracked:
    """The stored metrics of the newest windows, and the breaches of the champion's newest window with due labels."""
    labelled = pl.col("max.labelled").fill_null(config.min_sample) >= config.min_sample
    read = windowed.read_back(
        table, lambda rows: bool(_judged(rows, config, clock)), of_length(config.window), telling=labelled
    )
    if read.is_empty():
        return Tracked(pl.DataFrame())
    performance = read.sort("window", "version", "role")
    judged = _judged(performance, config, clock)
    if not judged:
        return Tracked(performance)
    newest = max(judged, key=lambda one: (one.window, int(one.version)))
    thresholds = {
        name.removeprefix("model_"): value
        for name, value in config.alert_thresholds.items()
        if name not in DRIFT_METRICS
    }
    breaches = performance_alarm([newest], thresholds, min_labelled=config.min_sample)
    detectors = config.model_performance_tracking.detectors if config.model_performance_tracking else []
    seen = changes(table, newest.version, detectors, config.window)
    rises = [one for one in seen if one.window == newest.window]
    return Tracked(performance, tuple(breaches), newest, tuple(rises))


def last_windows(table: str, count: int, length: str) -> pl.DataFrame:
    """The metrics of the last windows of a length, oldest first; no rows if nothing has been measured."""
    read = windowed.read_back(table, lambda rows: rows["window"].n_unique() >= count, of_length(length))
    return windowed.newest_windows(read, count).sort("window", "version", "role") if read.height else read


def revisions_of(table: str) -> str:
    """The path of the table of all measurements, each with its instant (`known_at`)."""
    return f"{table}_revisions"


def as_known(table: str, at: datetime) -> pl.DataFrame:
    """The metrics as they were known at an instant, with `known_at`, one row a role, window, version and metric."""
    if not delta.exists(revisions_of(table)):
        return pl.DataFrame()
    known_then = delta.scan(revisions_of(table)).filter(pl.col("known_at") <= at).drop(windowed.PERIOD)
    made = known_then.sort("known_at").collect()
    return made.unique(TRACK_KEYS, keep="last", maintain_order=True).sort(TRACK_KEYS)


def _judged(performance: pl.DataFrame, config: "MonitoringConfig", clock: Clock) -> list[WindowPerformance]:
    """The champion's windows with enough labels, all of them due: early labels may not be representative."""
    tracking = config.model_performance_tracking
    due = clock.now - tracking.label_delay if tracking and tracking.label_delay else clock.now
    champion = performance.filter(pl.col("role") == CHAMPION).drop("role")
    return [
        one
        for one in performance_from_frame(champion)
        if one.labelled >= config.min_sample and (due == clock.now or end_of(one.window, clock.timezone) <= due)
    ]


def _by_role(role: str, found: Sequence[WindowPerformance]) -> pl.DataFrame:
    return performance_frame(found).with_columns(role=pl.lit(role))


def _of(frame: pl.DataFrame, one: WindowPerformance) -> pl.DataFrame:
    return frame.filter((pl.col("window") == one.window) & (pl.col("version") == one.version))
