"""Performance, window by window, as labels arrive: the champion beside the baseline that was never retrained.

Only windows with new predictions or new labels are measured again; what was known of the others stands.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from mlops_assets.lake import delta
from mlops_assets.monitoring.performance import (
    Breach,
    WindowPerformance,
    performance_alarm,
    performance_frame,
    performance_from_frame,
    window_performance,
)

if TYPE_CHECKING:
    from mlops_assets.config import MonitoringConfig

CHAMPION, BASELINE = "champion", "baseline"
TRACK_KEYS = ["role", "window", "version", "metric"]


@dataclass(frozen=True)
class Tracked:
    """What is known after a run: every window's metrics (columns of PERFORMANCE_SCHEMA and role), and what is out of
    bounds in the newest window that has enough labels.
    """

    performance: pl.DataFrame
    breaches: tuple[Breach, ...] = ()
    newest: WindowPerformance | None = None


def track(
    table: str,
    labelled: pl.DataFrame,
    *,
    label: str,
    metrics: Sequence[str],
    estimates: Sequence[str] = (),
    baseline: Callable[[pl.DataFrame], pl.DataFrame] | None,
    transactions: dict[str, int],
    config: "MonitoringConfig",
) -> Tracked:
    """Measure the windows of `labelled`: every prediction of the windows that changed, with its label or null.

    Columns: window, version, prediction, probability (classifiers), the label, and what `baseline` needs to predict the
    same rows with the first model (it returns the frame with its own version, prediction and probability).
    """
    if labelled.height:
        measured = [_measured(CHAMPION, labelled, label, metrics, estimates)]
        if baseline is not None:
            measured.append(_measured(BASELINE, baseline(labelled), label, metrics, ()))
        delta.merge(table, pl.concat(measured), keys=TRACK_KEYS, transactions=transactions)
    return known(table, config)


def known(table: str, config: "MonitoringConfig") -> Tracked:
    """What the table says, and the breaches of the champion's newest window."""
    if not delta.exists(table):
        return Tracked(pl.DataFrame())
    performance = delta.scan(table).sort("window", "version", "role").collect()
    champion = performance.filter(pl.col("role") == CHAMPION).drop("role")
    judged = [one for one in performance_from_frame(champion) if one.labelled >= config.min_sample]
    if not judged:
        return Tracked(performance)
    newest = max(judged, key=lambda one: (one.window, int(one.version)))
    thresholds = {
        name.removeprefix("model_"): value for name, value in config.alert_thresholds.items() if _of_model(name)
    }
    breaches = performance_alarm([newest], thresholds, min_labelled=config.min_sample)
    return Tracked(performance, tuple(breaches), newest)


def _of_model(metric: str) -> bool:
    return metric not in ("feature_drift", "prediction_drift", "data_quality")


def _measured(
    role: str, frame: pl.DataFrame, label: str, metrics: Sequence[str], estimates: Sequence[str]
) -> pl.DataFrame:
    found = window_performance(frame, label=label, metrics=metrics, estimates=estimates)
    return performance_frame(found).with_columns(role=pl.lit(role))
