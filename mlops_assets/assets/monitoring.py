"""Monitoring documents as assets: drift, performance, and the page that shows both.

The work is done here, in a run; the check `alarm` records what the sensor reads. An alarm is a warning: it stops
nothing.
"""

from typing import Any

import dagster as dg
import polars as pl

from mlops_assets.assets.alerts import alerts_asset
from mlops_assets.assets.errors import told
from mlops_assets.assets.keys import Materialized, monitoring_key, shared, table_key
from mlops_assets.assets.launchpad import knobs, with_knobs
from mlops_assets.assets.metadata import markdown_table, table_metadata
from mlops_assets.assets.monitored import (
    clock,
    drift_tables,
    labelled_rows,
    new_predictions,
    performance_table,
    watched_features,
    watches_quality,
    with_slices,
)
from mlops_assets.assets.pending import warn_pending
from mlops_assets.assets.quality import quality_asset
from mlops_assets.assets.reference import reference_rows
from mlops_assets.config import MonitoringConfig, Project
from mlops_assets.config.lineage import ModelDocuments
from mlops_assets.config.metric_names import MONITOR_METRICS
from mlops_assets.lake import delta
from mlops_assets.lake.locations import Warehouse
from mlops_assets.monitoring.store import BATCH
from mlops_assets.monitoring.track import Tracked, track
from mlops_assets.monitoring.watch import Watched, watch
from mlops_assets.registry import ModelRegistry, RegistryError
from mlops_assets.serving.batch import score
from mlops_assets.serving.model import load_served_model

ALARM = "alarm"
KNOBS = ["min_sample", "consecutive_windows", "fdr", "severe_threshold"]


def monitoring_assets(project: Project, documents: ModelDocuments) -> list[dg.AssetsDefinition]:
    """Drift, performance and, where it is asked for, data quality of one model, and what is told of them."""
    assert documents.monitoring is not None
    quality = [quality_asset(project, documents)] if watches_quality(documents.monitoring.config) else []
    watched = [drift_asset(project, documents), performance_asset(project, documents)]
    return [*watched, *quality, alerts_asset(project, documents)]


def drift_asset(project: Project, documents: ModelDocuments) -> dg.AssetsDefinition:
    """A verdict a window, champion and feature: has it drifted from what the champion learned from."""
    document = documents.monitoring
    assert document is not None
    key = monitoring_key(project, "drift")
    chosen_fields = knobs("drift", document.config, KNOBS)

    @dg.asset(
        key=key,
        deps=[
            table_key(project, "gold", documents.predictions),
            table_key(project, "gold", documents.features.name),
        ],
        check_specs=[_alarm_spec(key, "drift")],
        description="New rows against the champion's training rows: one verdict a window and feature.",
        **shared(project, "monitoring", ["delta", "monitoring"]),
    )
    def drift(
        context: dg.AssetExecutionContext,
        config: chosen_fields,  # type: ignore[valid-type]
        lake: dg.ResourceParam[Warehouse],
        registry: dg.ResourceParam[ModelRegistry],
    ) -> Materialized:
        warn_pending(context, document)
        chosen = with_knobs(document.config, config)
        tables = drift_tables(project, lake)
        with told(RegistryError):
            champion = registry.require_champion(documents.model)
        model = load_served_model(registry.local_path(champion))
        features = watched_features(chosen, model)
        names = with_slices(features, chosen)
        newest = delta.latest(lake.table(project.name, "gold", documents.predictions))
        done = delta.transaction_version(tables.profiles, BATCH)
        with told():
            found = watch(
                tables,
                new_predictions(project, documents, names, chosen, lake, done, newest),
                newest,
                version=champion.version,
                features=features,
                training=lambda: reference_rows(project, documents, champion, model, names, lake, context.log.warning),
                config=chosen,
            )
        return dg.MaterializeResult(
            metadata=_drift_metadata(tables.drift, found), check_results=[_drift_check(key, found)]
        )

    return drift


def performance_asset(project: Project, documents: ModelDocuments) -> dg.AssetsDefinition:
    """A value a window, version and metric, of the champion and of the first model, never retrained."""
    document = documents.monitoring
    assert document is not None
    key = monitoring_key(project, "performance")
    chosen_fields = knobs("performance", document.config, ["min_sample"])

    @dg.asset(
        key=key,
        deps=[
            table_key(project, "gold", documents.predictions),
            table_key(project, "gold", documents.features.name),
        ],
        check_specs=[_alarm_spec(key, "performance")],
        description="Predictions against the labels that have arrived, by window.",
        **shared(project, "monitoring", ["delta", "monitoring"]),
    )
    def performance(
        context: dg.AssetExecutionContext,
        config: chosen_fields,  # type: ignore[valid-type]
        lake: dg.ResourceParam[Warehouse],
        registry: dg.ResourceParam[ModelRegistry],
    ) -> Materialized:
        chosen = with_knobs(document.config, config)
        table = performance_table(project, document.config, lake)
        rows, transactions = labelled_rows(project, documents, chosen, lake, table)

        def baseline(frame: pl.DataFrame) -> pl.DataFrame:
            with told(RegistryError):
                first = registry.baseline(documents.model, _baseline_run(chosen))
            model = load_served_model(registry.local_path(first))
            old = frame.drop("prediction", "probability", "version", "request_id", "time")
            return pl.concat([old, score(model, frame, version=first.version, keep=[])], how="horizontal")

        found = track(
            table,
            rows,
            label=documents.training.config.target_column,
            metrics=model_metrics(chosen),
            estimates=_estimates(documents, chosen),
            baseline=baseline,
            transactions=transactions,
            config=chosen,
            clock=clock(project),
        )
        return dg.MaterializeResult(
            metadata=_performance_metadata(table, found, rows.height),
            check_results=[_performance_check(key, found)],
        )

    return performance


def model_metrics(config: MonitoringConfig) -> list[str]:
    """The document's metrics that are computed from labels."""
    return [name.removeprefix("model_") for name in config.metrics if name not in MONITOR_METRICS]


def _estimates(documents: ModelDocuments, config: MonitoringConfig) -> list[str]:
    """The metrics that are also estimated without labels."""
    if documents.training.config.model_type != "classification":
        return []
    return [name for name in model_metrics(config) if name in ("roc_auc", "accuracy")]


def _baseline_run(config: MonitoringConfig) -> str | None:
    tracking = config.model_performance_tracking
    return tracking.baseline_run_id if tracking else None


def _alarm_spec(key: dg.AssetKey, what: str) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        ALARM, asset=key, description=f"Whether the {what} of the newest window calls for a retraining."
    )


def _alarm(
    key: dg.AssetKey, *, window: str, champion: str, raised: bool, reason: str, since: str = ""
) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=not raised,
        asset_key=key,
        check_name=ALARM,
        severity=dg.AssetCheckSeverity.WARN,
        description=reason,
        metadata={"window": window, "champion": champion, "reason": reason, "since": since or window},
    )


def _drift_check(key: dg.AssetKey, found: Watched) -> dg.AssetCheckResult:
    """Raised while the newest window is in drift and the alarm is on."""
    if not found.windows:
        reason = "No row is newer than what the champion was trained on."
        return _alarm(key, window="", champion=found.version, raised=False, reason=reason)
    newest = found.windows[-1]
    shown = ", ".join(_effect(found, newest.window, name) for name in newest.drifted_features[:3])
    more = len(newest.drifted_features) - 3
    reason = (
        f"{newest.window}: {newest.verdict}"
        + (f" in {shown}" if shown else "")
        + (f" and {more} more" if more > 0 else "")
    )
    return _alarm(
        key,
        window=newest.window,
        champion=found.version,
        raised=found.alarm.active and newest.drifted,
        reason=reason,
        since=found.alarm.since or "",
    )


def _effect(found: Watched, window: str, feature: str) -> str:
    judged = next(one for one in found.features[window] if one.feature == feature)
    return f"{feature} ({judged.effect:.2f})"


def _performance_check(key: dg.AssetKey, found: Tracked) -> dg.AssetCheckResult:
    if found.newest is None:
        reason = "No window has enough labels yet."
        return _alarm(key, window="", champion="", raised=False, reason=reason)
    newest = found.newest
    broken = [
        f"{one.metric} {one.value:.3f} is {'below' if one.higher_is_better else 'above'} {one.threshold:g}"
        for one in found.breaches
    ]
    reason = f"{newest.window}: {'; '.join(broken) or 'within its thresholds'}"
    return _alarm(key, window=newest.window, champion=newest.version, raised=bool(broken), reason=reason)


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
