"""Data quality as an asset: one row per window and finding, and the check that the alerts are made from.

It never triggers a retraining: a model trained on broken data is worse than an old one.
"""

from collections.abc import Iterator

import dagster as dg

from mlops_assets.assets.dagster_events import dagster_events
from mlops_assets.assets.errors import as_failure
from mlops_assets.assets.keys import Materialized, monitoring_key, shared
from mlops_assets.config import Project
from mlops_assets.config.lineage import ModelDocuments
from mlops_assets.lake.locations import Warehouse
from mlops_assets.registry import ModelRegistry
from mlops_assets.steps import quality as steps
from mlops_assets.steps.quality import WHOLE


def quality_asset(project: Project, documents: ModelDocuments) -> dg.AssetsDefinition:
    """One row per champion, window and finding."""
    document = documents.monitoring
    assert document is not None
    config = document.config
    key = monitoring_key(project, "quality")

    @dg.asset(
        key=key,
        deps=[monitoring_key(project, "drift")],
        check_specs=[
            dg.AssetCheckSpec(
                WHOLE,
                asset=key,
                description="No more nulls, unseen levels and broken rules than usual, and all rows came in time.",
            )
        ],
        description="Nulls, unseen levels, broken rules, volume and age of new rows, by window.",
        **shared(project, "monitoring", ["delta", "monitoring"]),
    )
    def quality(
        context: dg.AssetExecutionContext, lake: dg.ResourceParam[Warehouse], registry: dg.ResourceParam[ModelRegistry]
    ) -> Iterator[Materialized | dg.AssetCheckResult]:
        with as_failure():
            result = steps.quality(project, documents, config, lake, registry)
        yield from dagster_events(context, project, key, lake, result)

    return quality
