"""Monitoring documents as assets: drift and performance of a model.

The drift sensor reads their check `alarm`.
"""

from collections.abc import Callable, Iterator, Sequence

import dagster as dg

from mlops_assets.assets.alerts import alerts_asset
from mlops_assets.assets.dagster_events import dagster_events
from mlops_assets.assets.errors import as_failure
from mlops_assets.assets.keys import Materialized, monitoring_key, shared, table_key
from mlops_assets.assets.launchpad import launch_config, with_launch_config
from mlops_assets.assets.quality import quality_asset
from mlops_assets.config import MonitoringConfig, Project
from mlops_assets.config.lineage import ModelDocuments
from mlops_assets.lake.locations import Warehouse
from mlops_assets.registry import ModelRegistry
from mlops_assets.steps import monitoring, performance
from mlops_assets.steps.monitoring import ALARM
from mlops_assets.steps.monitoring_tables import watches_quality
from mlops_assets.steps.reference import Warn
from mlops_assets.steps.result import StepResult

Step = Callable[[MonitoringConfig, Warehouse, ModelRegistry, Warn], StepResult]
LAUNCH_FIELDS = ["min_sample", "consecutive_windows", "fdr", "severe_threshold"]


def monitoring_assets(project: Project, documents: ModelDocuments) -> list[dg.AssetsDefinition]:
    """Drift, performance, data quality (if the document asks for it) and alerts of one model."""
    assert documents.monitoring is not None
    quality = [quality_asset(project, documents)] if watches_quality(documents.monitoring.config) else []
    watched = [drift_asset(project, documents), performance_asset(project, documents)]
    return [*watched, *quality, alerts_asset(project, documents)]


def drift_asset(project: Project, documents: ModelDocuments) -> dg.AssetsDefinition:
    """One verdict per window, champion and feature: whether it has drifted from the champion's training rows."""
    description = "New rows against the champion's training rows: one verdict per window and feature."

    def step(config: MonitoringConfig, lake: Warehouse, registry: ModelRegistry, warn: Warn) -> StepResult:
        return monitoring.drift(project, documents, config, lake, registry, warn)

    return _monitor_asset(project, documents, "drift", LAUNCH_FIELDS, description, step)


def performance_asset(project: Project, documents: ModelDocuments) -> dg.AssetsDefinition:
    """One value per window, version and metric, for the champion and for the baseline, which is never retrained."""
    description = "Predictions against the labels that have arrived, by window."

    def step(config: MonitoringConfig, lake: Warehouse, registry: ModelRegistry, warn: Warn) -> StepResult:
        return performance.performance(project, documents, config, lake, registry)

    return _monitor_asset(project, documents, "performance", ["min_sample"], description, step)


def _monitor_asset(
    project: Project, documents: ModelDocuments, what: str, fields: Sequence[str], description: str, step: Step
) -> dg.AssetsDefinition:
    """An asset that reads new predictions and their features, with the check that requests a retraining."""
    document = documents.monitoring
    assert document is not None
    key = monitoring_key(project, what)
    chosen_fields = launch_config(what, document.config, fields)
    retraining = f"Fails if the {what} of the newest window calls for a retraining."

    @dg.asset(
        key=key,
        deps=[table_key(project, "gold", name) for name in (documents.predictions, documents.features.name)],
        check_specs=[dg.AssetCheckSpec(ALARM, asset=key, description=retraining)],
        description=description,
        **shared(project, "monitoring", ["delta", "monitoring"]),
    )
    def monitor(
        context: dg.AssetExecutionContext,
        config: chosen_fields,  # type: ignore[valid-type]
        lake: dg.ResourceParam[Warehouse],
        registry: dg.ResourceParam[ModelRegistry],
    ) -> Iterator[Materialized | dg.AssetCheckResult]:
        chosen = with_launch_config(document.config, config)
        with as_failure():
            result = step(chosen, lake, registry, context.log.warning)
        yield from dagster_events(context, project, key, lake, result)

    return monitor
