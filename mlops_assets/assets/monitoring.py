"""Monitoring documents as assets: drift and performance of a model.

The check `alarm` records what the sensor reads.
"""

from collections.abc import Iterator

import dagster as dg

from mlops_assets.assets.alerts import alerts_asset
from mlops_assets.assets.errors import as_failure
from mlops_assets.assets.keys import Materialized, monitoring_key, shared, table_key
from mlops_assets.assets.launchpad import launch_config, with_launch_config
from mlops_assets.assets.quality import quality_asset
from mlops_assets.assets.reported import reported
from mlops_assets.config import Project
from mlops_assets.config.lineage import ModelDocuments
from mlops_assets.lake.locations import Warehouse
from mlops_assets.registry import ModelRegistry
from mlops_assets.steps import monitoring
from mlops_assets.steps import performance as measured
from mlops_assets.steps.monitoring import ALARM
from mlops_assets.steps.monitoring_tables import watches_quality

LAUNCH_FIELDS = ["min_sample", "consecutive_windows", "fdr", "severe_threshold"]


def monitoring_assets(project: Project, documents: ModelDocuments) -> list[dg.AssetsDefinition]:
    """Drift, performance and, where it is asked for, data quality of one model, and its alerts."""
    assert documents.monitoring is not None
    quality = [quality_asset(project, documents)] if watches_quality(documents.monitoring.config) else []
    watched = [drift_asset(project, documents), performance_asset(project, documents)]
    return [*watched, *quality, alerts_asset(project, documents)]


def drift_asset(project: Project, documents: ModelDocuments) -> dg.AssetsDefinition:
    """One verdict per window, champion and feature: has it drifted from what the champion learned from."""
    document = documents.monitoring
    assert document is not None
    key = monitoring_key(project, "drift")
    chosen_fields = launch_config("drift", document.config, LAUNCH_FIELDS)

    @dg.asset(
        key=key,
        deps=[
            table_key(project, "gold", documents.predictions),
            table_key(project, "gold", documents.features.name),
        ],
        check_specs=[_alarm_spec(key, "drift")],
        description="New rows against the champion's training rows: one verdict per window and feature.",
        **shared(project, "monitoring", ["delta", "monitoring"]),
    )
    def drift(
        context: dg.AssetExecutionContext,
        config: chosen_fields,  # type: ignore[valid-type]
        lake: dg.ResourceParam[Warehouse],
        registry: dg.ResourceParam[ModelRegistry],
    ) -> Iterator[Materialized | dg.AssetCheckResult]:
        chosen = with_launch_config(document.config, config)
        with as_failure():
            done = monitoring.drift(project, documents, chosen, lake, registry, context.log.warning)
        yield from reported(context, project, key, lake, done)

    return drift


def performance_asset(project: Project, documents: ModelDocuments) -> dg.AssetsDefinition:
    """One value per window, version and metric, of the champion and of the first model, which is never retrained."""
    document = documents.monitoring
    assert document is not None
    key = monitoring_key(project, "performance")
    chosen_fields = launch_config("performance", document.config, ["min_sample"])

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
    ) -> Iterator[Materialized | dg.AssetCheckResult]:
        chosen = with_launch_config(document.config, config)
        with as_failure():
            done = measured.performance(project, documents, chosen, lake, registry)
        yield from reported(context, project, key, lake, done)

    return performance


def _alarm_spec(key: dg.AssetKey, what: str) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        ALARM, asset=key, description=f"Fails where the {what} of the newest window calls for a retraining."
    )
