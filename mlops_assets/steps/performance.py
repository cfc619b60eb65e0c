"""Monitoring documents: performance of one model, as labels arrive, and what its newest window calls for."""

from collections.abc import Callable
from functools import cache
from typing import Any

import polars as pl

from mlops_assets.config import MonitoringConfig, Project
from mlops_assets.config.lineage import ModelDocuments
from mlops_assets.config.metric_names import MONITOR_METRICS
from mlops_assets.features.table import identity
from mlops_assets.lake.locations import Warehouse
from mlops_assets.monitoring.directions import canonical
from mlops_assets.monitoring.error_stream import keep_errors
from mlops_assets.monitoring.estimates import ESTIMATES
from mlops_assets.monitoring.label_drift import LABEL_DRIFT
from mlops_assets.monitoring.loss_estimates import has_loss_estimate, loss_estimates
from mlops_assets.monitoring.performance import MetricValue, WindowPerformance
from mlops_assets.monitoring.track import DRIFT_METRICS, Tracked, track
from mlops_assets.registry import ModelRegistry, ModelVersion
from mlops_assets.registry.champions import baseline_version
from mlops_assets.serving.batch import score
from mlops_assets.serving.model import load_served_model
from mlops_assets.steps.labels import anomaly_label, as_anomalies, drift_of_labels
from mlops_assets.steps.metadata import markdown_table, table_metadata
from mlops_assets.steps.monitored_rows import labelled_before, labelled_rows
from mlops_assets.steps.monitoring import alarm_check
from mlops_assets.steps.monitoring_tables import clock, performance_table
from mlops_assets.steps.result import Check, StepResult


def performance(
    project: Project, documents: ModelDocuments, config: MonitoringConfig, lake: Warehouse, registry: ModelRegistry
) -> StepResult:
    """One value per window, version and metric, for the champion and for the baseline, which is never retrained.

    Raises:
        LakeError, RegistryError: the documents do not fit the tables, or there is no first model.
    """
    table = performance_table(project, config, lake)
    rows, transactions = labelled_rows(project, documents, config, lake, table)
    label = documents.training.config.target_column
    anomaly = anomaly_label(project, documents, rows, lake)
    rows = as_anomalies(rows, label, anomaly)

    def baseline(frame: pl.DataFrame) -> pl.DataFrame:
        first = baseline_version(registry.versions(documents.model), documents.model, _baseline_run(config))
        model = load_served_model(registry.local_path(first))
        old = frame.drop("prediction", "probability", "version", "request_id", "time")
        scored = score(model, frame, version=first.version, keep=[])
        return pl.concat([old, as_anomalies(scored, label, anomaly)], how="horizontal")

    if config.model_performance_tracking and config.model_performance_tracking.detectors:
        time = documents.features.config.timestamp_column
        keep_errors(table, rows, label=label, at=time, classifier=_has_classes(documents))
    tracked = track(
        table,
        rows,
        label=label,
        metrics=model_metrics(config),
        estimates=estimated_metrics(documents, config),
        classes=cache(lambda version: registry.version(documents.model, version).classes),
        more=_additional_metrics(project, documents, config, lake, registry, rows, anomaly),
        baseline=baseline,
        transactions=transactions,
        config=config,
        clock=clock(project),
    )
    check = performance_check(tracked, registry.champion(documents.model), config)
    return StepResult(_performance_metadata(table, tracked, rows.height), [check], log=check.description)


def _additional_metrics(
    project: Project,
    documents: ModelDocuments,
    config: MonitoringConfig,
    lake: Warehouse,
    registry: ModelRegistry,
    rows: pl.DataFrame,
    anomaly: int | None,
) -> Callable[[pl.DataFrame], list[MetricValue]]:
    """A function that gives a window's further values: drift of its labels, estimated losses of a regression."""
    label = documents.training.config.target_column
    losses = [name for name in model_metrics(config) if has_loss_estimate(name)]
    drifts: list[Callable[[pl.DataFrame], list[MetricValue]]] = []
    if LABEL_DRIFT in config.metrics and rows.height:
        champion = registry.require_champion(documents.model)
        drifts = [drift_of_labels(project, documents, config, champion, lake, anomaly)]
    earlier = labelled_before(project, documents, config, lake, rows) if losses and rows.height else rows
    time, features = documents.features.config.timestamp_column, _feature_names(documents, rows)

    def more(window: pl.DataFrame) -> list[MetricValue]:
        values = [one for drift in drifts for one in drift(window)]
        if losses:
            before = pl.concat([earlier, rows.filter(pl.col("window") < window["window"][0])]).sort(time)
            own = before.filter(pl.col("version") == window["version"][0])
            values += loss_estimates(
                window, own, label=label, features=features, metrics=losses, least=config.min_sample
            )
        return values

    return more


def _feature_names(documents: ModelDocuments, rows: pl.DataFrame) -> list[str]:
    """The features in `rows`: the document's, else all columns but keys, times, label and the model's output."""
    config = documents.features.config
    prediction_columns = ("window", "version", "prediction", "probability", "request_id", "time")
    others = {*prediction_columns, *identity(config), documents.training.config.target_column}
    return [name for name in config.features or rows.columns if name in rows.columns and name not in others]


def model_metrics(config: MonitoringConfig) -> list[str]:
    """The document's metrics that are computed from labels."""
    return [name.removeprefix("model_") for name in config.metrics if name not in MONITOR_METRICS]


def estimated_metrics(documents: ModelDocuments, config: MonitoringConfig) -> list[str]:
    """The metrics that are also estimated without labels, by confidence: of a classifier those of ESTIMATES."""
    if not _is_classifier(documents):
        return []
    return [name for name in model_metrics(config) if canonical(name) in ESTIMATES]


def _is_classifier(documents: ModelDocuments) -> bool:
    return documents.training.config.model_type == "classification"


def _has_classes(documents: ModelDocuments) -> bool:
    """Whether an error is 0 or 1 (right or wrong), as for all models but regressions."""
    return documents.training.config.model_type != "regression"


def _baseline_run(config: MonitoringConfig) -> str | None:
    tracking = config.model_performance_tracking
    return tracking.baseline_run_id if tracking else None


def performance_check(tracked: Tracked, champion: ModelVersion | None, config: MonitoringConfig) -> Check:
    """The check `alarm`, failed if the champion is out of bounds; an earlier champion's values raise no alarm."""
    if tracked.newest is None:
        reason = "No window has enough labels yet."
        return alarm_check(window="", champion="", raised=False, reason=reason)
    newest = tracked.newest
    violations = [
        f"{one.metric} {one.value:.3f} is {'below' if one.higher_is_better else 'above'} {one.threshold:g}"
        for one in tracked.breaches
    ]
    violations += [one.sentence for one in tracked.changes]
    reason = f"{newest.window}: {'; '.join(violations) or _within_bounds_text(newest, config)}"
    is_champion = champion is not None and champion.version == newest.version
    if violations and not is_champion:
        reason += f", of version {newest.version}, which is no longer champion"
    return alarm_check(
        window=newest.window,
        champion=newest.version,
        raised=bool(violations) and is_champion,
        reason=reason,
        warns=config.check_severity == "warn",
    )


def _within_bounds_text(newest: WindowPerformance, config: MonitoringConfig) -> str:
    """The sentence on a window within its bounds; the measured values if there are no bounds."""
    tracking = config.model_performance_tracking
    if set(config.alert_thresholds) - set(DRIFT_METRICS) or (tracking and tracking.detectors):
        return "within its thresholds"
    measured = ", ".join(f"{one.name} {one.value:.3f}" for one in newest.metrics if one.value is not None)
    return f"{measured}; alert_thresholds says of no metric what would be too bad"


def _performance_metadata(table: str, tracked: Tracked, rows: int) -> dict[str, Any]:
    metadata: dict[str, Any] = {"rows_measured": rows}
    if tracked.newest is not None:
        newest = tracked.performance.filter(pl.col("window") == tracked.newest.window)
        metadata["newest_window"] = markdown_table(
            newest.iter_rows(named=True), ["role", "version", "metric", "value", "lower", "upper", "coverage"]
        )
        metadata |= {f"{one.name}": one.value for one in tracked.newest.metrics if one.value is not None}
        metadata |= table_metadata(table)
    return metadata
