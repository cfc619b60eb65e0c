"""The monitoring dashboard as an asset: one HTML file with drift, performance, alarms and versions over time."""

from collections.abc import Sequence
from dataclasses import replace

import dagster as dg
import polars as pl

from mlops_assets.assets.errors import as_failure
from mlops_assets.assets.keys import Materialized, monitoring_key, shared
from mlops_assets.config import MonitoringConfig, Project
from mlops_assets.config.lineage import ModelDocuments
from mlops_assets.lake.locations import Warehouse
from mlops_assets.monitoring.alert_table import Entry, read_log
from mlops_assets.monitoring.dashboard import (
    MOST_WINDOWS,
    Announcement,
    DashboardData,
    Distribution,
    Retraining,
    distribution,
    render,
)
from mlops_assets.monitoring.error_stream import changes
from mlops_assets.monitoring.lakeview import definition
from mlops_assets.monitoring.performance import WindowPerformance, performance_from_frame
from mlops_assets.monitoring.quality import last_quality
from mlops_assets.monitoring.slices import split_name
from mlops_assets.monitoring.store import DriftTables
from mlops_assets.monitoring.track import BASELINE, CHAMPION, last_windows
from mlops_assets.monitoring.verdict import FeatureDrift
from mlops_assets.monitoring.watch import history, profiles_of, verdicts
from mlops_assets.registry import ModelRegistry, ModelVersion
from mlops_assets.steps.monitoring_tables import clock, drift_tables, page_file, performance_table, quality_table
from mlops_assets.steps.performance import model_metrics
from mlops_assets.steps.unity import dashboard_tables

MOST_DISTRIBUTIONS = 6
MOST_ALERTS = 60


def dashboard_asset(project: Project, documents: ModelDocuments) -> dg.AssetsDefinition:
    """`dashboard.html` in the folder of the monitoring tables."""
    document = documents.monitoring
    assert document is not None
    config = document.config

    @dg.asset(
        key=monitoring_key(project, "dashboard"),
        deps=[monitoring_key(project, what) for what in ("drift", "performance", "alerts")],
        description=f"{config.dashboard_name or documents.model}: one page that needs no network.",
        **shared(project, "monitoring", ["html", "monitoring"]),
    )
    def dashboard(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Warehouse],
        registry: dg.ResourceParam[ModelRegistry],
    ) -> Materialized:
        file = page_file(project, lake)
        with as_failure():
            champion = registry.require_champion(documents.model)
            versions = registry.versions(documents.model)
            data = dashboard_data(project, documents, config, lake, champion, versions)
        file.parent.mkdir(parents=True, exist_ok=True)
        # Replaced in one step, so that nobody reads a partial page.
        unfinished = file.with_suffix(".new")
        unfinished.write_text(render(data), encoding="utf-8")
        unfinished.replace(file)
        return dg.MaterializeResult(
            metadata={
                "page": dg.MetadataValue.url(file.as_uri()),
                "windows": len(data.windows),
                "bytes": file.stat().st_size,
                **_published_in_workspace(project, data.title, lake),
            }
        )

    return dashboard


def _published_in_workspace(project: Project, title: str, lake: Warehouse) -> dict[str, dg.MetadataValue]:
    """Publish the same numbers as a Databricks dashboard, if the platform has them; returns its address as metadata."""
    if lake.catalog is None or lake.catalog.publish is None:
        return {}
    schema = lake.catalog.tables.schema_in(project.pipeline.config.environment)
    with as_failure():
        address = lake.catalog.publish(title, definition(title, dashboard_tables(project, schema, lake)))
    return {"databricks": dg.MetadataValue.url(address)}


def dashboard_data(
    project: Project,
    documents: ModelDocuments,
    config: MonitoringConfig,
    lake: Warehouse,
    champion: ModelVersion,
    versions: list[ModelVersion],
) -> DashboardData:
    """What the page shows, read from the monitor's tables and the registry."""
    tables, time = drift_tables(project, lake), clock(project)
    drift = verdicts(tables, MOST_WINDOWS, config, time)
    metrics_table = performance_table(project, config, lake)
    performance = last_windows(metrics_table, MOST_WINDOWS, config.window)
    windows = sorted({*drift, *(performance["window"].to_list() if performance.height else [])})
    metric = next(iter(model_metrics(config)), "roc_auc")
    tracking = config.model_performance_tracking
    return DashboardData(
        title=config.dashboard_name or documents.model,
        as_of=time.now,
        windows=windows,
        metric=metric,
        drift=drift,
        distributions=_distributions(tables, drift, config),
        performance=_of_role(performance, CHAMPION),
        baseline=_of_role(performance, BASELINE),
        retrainings=[_retraining(version) for version in versions if version.window],
        threshold=config.alert_thresholds.get(metric, config.alert_thresholds.get(f"model_{metric}")),
        alerts=announcements(read_log(lake.table(project.name, "monitoring", "alerts"), documents.model)),
        quality=last_quality(quality_table(project, lake), MOST_WINDOWS, config.window),
        changes=changes(metrics_table, champion.version, tracking.detectors if tracking else [], config.window),
        alarm=history(tables, champion.version, config, time).alarm,
    )


def announcements(log: Sequence[Entry]) -> list[Announcement]:
    """The log's alerts, oldest first, each with its delivery state by channel."""
    found = {entry.id: entry for entry in log}
    delivered = {
        name: {entry.channel: _state(entry) for entry in log if entry.id == name and entry.channel} for name in found
    }
    return [
        Announcement(one.raised_at, one.kind, one.window, one.version, one.monitor, one.reasons, delivered[name])
        for name, one in list(found.items())[-MOST_ALERTS:]
    ]


def _state(entry: Entry) -> str:
    return f"{entry.state}: {entry.error}" if entry.error else entry.state


def _of_role(performance: pl.DataFrame, role: str) -> list[WindowPerformance]:
    if performance.is_empty():
        return []
    return performance_from_frame(performance.filter(pl.col("role") == role).drop("role"))


def _distributions(
    tables: DriftTables, drift: dict[str, list[FeatureDrift]], config: MonitoringConfig
) -> list[Distribution]:
    """The newest window's features with the largest effect, against the reference."""
    if not drift:
        return []
    newest = max(drift)
    worst = sorted(drift[newest], key=lambda one: one.severity, reverse=True)
    reference, current = profiles_of(tables, newest, config)
    shown: list[Distribution] = []
    for one in worst:
        feature, part = split_name(one.feature)
        if part in current and len(shown) < MOST_DISTRIBUTIONS:
            drawn = distribution(
                feature, newest, reference[part], current[part], masked=feature in config.sensitive_features
            )
            shown.append(replace(drawn, feature=one.feature))
    return shown


def _retraining(version: ModelVersion) -> Retraining:
    return Retraining(
        window=version.window,
        version=version.version,
        cause=version.cause,
        decision=version.decision,
        promoted=version.promoted,
        numbers=version.numbers,
    )
