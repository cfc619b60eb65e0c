"""Monitoring documents: drift and performance of one model, and what their newest window calls for.

An alarm is a warning: it stops nothing.
"""

from typing import Any

import polars as pl

from mlops_assets.config import MonitoringConfig, Project
from mlops_assets.config.lineage import ModelDocuments
from mlops_assets.config.metric_names import MONITOR_METRICS
from mlops_assets.lake import delta
from mlops_assets.lake.locations import Warehouse
from mlops_assets.monitoring.error_stream import keep_errors
from mlops_assets.monitoring.store import BATCH
from mlops_assets.monitoring.track import Tracked, track
from mlops_assets.monitoring.watch import Watched, watch
from mlops_assets.registry import ModelRegistry
from mlops_assets.serving.batch import score
from mlops_assets.serving.model import load_served_model
from mlops_assets.steps.monitored import (
    clock,
    drift_tables,
    labelled_rows,
    new_predictions,
    performance_table,
    watched_features,
    with_slices,
)
from mlops_assets.steps.reference import Say, reference_rows
from mlops_assets.steps.result import Check, StepResult
from mlops_assets.steps.shown import markdown_table, table_metadata

ALARM = "alarm"


def drift(
    project: Project,
    documents: ModelDocuments,
    config: MonitoringConfig,
    lake: Warehouse,
    registry: ModelRegistry,
    say: Say,
) -> StepResult:
    """A verdict a window, champion and feature. `say` takes a logger's warning.

    Raises:
        LakeError, RegistryError: the documents do not fit the tables, or no version is champion.
    """
    tables = drift_tables(project, lake)
    champion = registry.require_champion(documents.model)
    model = load_served_model(registry.local_path(champion))
    features = watched_features(config, model)
    names = with_slices(features, config)
    newest = delta.latest(lake.table(project.name, "gold", documents.predictions))
    done = delta.transaction_version(tables.profiles, BATCH)
    found = watch(
        tables,
        new_predictions(project, documents, names, config, lake, done, newest),
        newest,
        version=champion.version,
        features=features,
        training=lambda: reference_rows(project, documents, champion, model, names, lake, say),
        config=config,
    )
    check = _drift_check(found)
    return StepResult(_drift_metadata(tables.drift, found), [check], log=check.description)


def performance(
    project: Project, documents: ModelDocuments, config: MonitoringConfig, lake: Warehouse, registry: ModelRegistry
) -> StepResult:
    """A value a window, version and metric, of the champion and of the first model, never retrained.

    Raises:
        LakeError, RegistryError: the documents do not fit the tables, or there is no first model.
    """
    table = performance_table(project, config, lake)
    rows, transactions = labelled_rows(project, documents, config, lake, table)

    def baseline(frame: pl.DataFrame) -> pl.DataFrame:
        first = registry.baseline(documents.model, _baseline_run(config))
        model = load_served_model(registry.local_path(first))
        old = frame.drop("prediction", "probability", "version", "request_id", "time")
        return pl.concat([old, score(model, frame, version=first.version, keep=[])], how="horizontal")

    label = documents.training.config.target_column
    if config.model_performance_tracking and config.model_performance_tracking.detectors:
        time = documents.features.config.timestamp_column
        keep_errors(table, rows, label=label, at=time, classifier=_is_classifier(documents))
    found = track(
        table,
        rows,
        label=label,
        metrics=model_metrics(config),
        estimates=_estimates(documents, config),
        baseline=baseline,
        transactions=transactions,
        config=config,
        clock=clock(project),
    )
    check = _performance_check(found)
    return StepResult(_performance_metadata(table, found, rows.height), [check], log=check.description)


def model_metrics(config: MonitoringConfig) -> list[str]:
    """The document's metrics that are computed from labels."""
    return [name.removeprefix("model_") for name in config.metrics if name not in MONITOR_METRICS]


def _estimates(documents: ModelDocuments, config: MonitoringConfig) -> list[str]:
    """The metrics that are also estimated without labels."""
    if not _is_classifier(documents):
        return []
    return [name for name in model_metrics(config) if name in ("roc_auc", "accuracy")]


def _is_classifier(documents: ModelDocuments) -> bool:
    return documents.training.config.model_type == "classification"


def _baseline_run(config: MonitoringConfig) -> str | None:
    tracking = config.model_performance_tracking
    return tracking.baseline_run_id if tracking else None


def _alarm(*, window: str, champion: str, raised: bool, reason: str, since: str = "") -> Check:
    told = {"window": window, "champion": champion, "reason": reason, "since": since or window}
    return Check(ALARM, not raised, reason, told, warns=True)


def _drift_check(found: Watched) -> Check:
    """Raised while the newest window is in drift and the alarm is on."""
    if not found.windows:
        reason = "No row is newer than what the champion was trained on."
        return _alarm(window="", champion=found.version, raised=False, reason=reason)
    newest = found.windows[-1]
    shown = ", ".join(_effect(found, newest.window, name) for name in newest.drifted_features[:3])
    more = len(newest.drifted_features) - 3
    reason = (
        f"{newest.window}: {newest.verdict}"
        + (f" in {shown}" if shown else "")
        + (f" and {more} more" if more > 0 else "")
    )
    return _alarm(
        window=newest.window,
        champion=found.version,
        raised=found.alarm.active and newest.drifted,
        reason=reason,
        since=found.alarm.since or "",
    )


def _effect(found: Watched, window: str, feature: str) -> str:
    judged = next(one for one in found.features[window] if one.feature == feature)
    return f"{feature} ({judged.effect:.2f})"


def _performance_check(found: Tracked) -> Check:
    if found.newest is None:
        reason = "No window has enough labels yet."
        return _alarm(window="", champion="", raised=False, reason=reason)
    newest = found.newest
    broken = [
        f"{one.metric} {one.value:.3f} is {'below' if one.higher_is_better else 'above'} {one.threshold:g}"
        for one in found.breaches
    ]
    broken += [one.told for one in found.changes]
    reason = f"{newest.window}: {'; '.join(broken) or 'within its thresholds'}"
    return _alarm(window=newest.window, champion=newest.version, raised=bool(broken), reason=reason)


def _drift_metadata(table: str, found: Watched) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "champion": found.version,
        "rows_profiled": found.rows,
    }
    if found.windows:
        newest = sorted(found.features[found.windows[-1].window], key=lambda one: one.effect, reverse=True)
        columns = ["feature", "verdict", "method", "effect", "limit", "p_adjusted", "psi_debiased"]
        shown["newest_window"] = markdown_table(map(vars, newest), columns)
        shown["drifted_features"] = len(found.windows[-1].drifted_features)
        shown |= table_metadata(table)
    return shown


def _performance_metadata(table: str, found: Tracked, rows: int) -> dict[str, Any]:
    shown: dict[str, Any] = {"rows_measured": rows}
    if found.newest is not None:
        newest = found.performance.filter(pl.col("window") == found.newest.window)
        shown["newest_window"] = markdown_table(
            newest.iter_rows(named=True), ["role", "version", "metric", "value", "lower", "upper", "coverage"]
        )
        shown |= {f"{one.name}": one.value for one in found.newest.metrics if one.value is not None}
        shown |= table_metadata(table)
    return shown
