"""Feature documents as gold tables: keys, time, and features as of each row's time."""

from collections.abc import Iterator

import dagster as dg
from pydantic import Field

from mlops_assets.assets.column_lineage import gold_lineage, with_lineage
from mlops_assets.assets.dagster_events import dagster_events
from mlops_assets.assets.errors import as_failure
from mlops_assets.assets.keys import Materialized, dependencies, shared, table_key
from mlops_assets.assets.launchpad import LaunchConfig
from mlops_assets.config import Document, FeatureConfig, Project
from mlops_assets.lake.locations import Warehouse
from mlops_assets.steps import features as steps
from mlops_assets.steps.features import ONLINE, UNIQUE


class FeatureLaunchConfig(LaunchConfig):
    """What a person may choose in the Launchpad when a feature table is built."""

    full_refresh: bool = Field(default=False, description="Build every row again, not only those of new source rows.")


def feature_asset(project: Project, document: Document[FeatureConfig]) -> dg.AssetsDefinition:
    """One gold feature table: a row per primary key."""
    config = document.config
    key = table_key(project, "gold", document.name)
    joined = [join.table for join in config.joins]

    @dg.asset(
        key=key,
        deps=list(dict.fromkeys(dependencies(project, [config.source_table, *joined]))),
        check_specs=_check_specs(key, config),
        description=config.description or f"Features from {config.source_table}.",
        **shared(project, "gold", ["delta", "gold"], config.tags),
    )
    def features(
        context: dg.AssetExecutionContext, config: FeatureLaunchConfig, lake: dg.ResourceParam[Warehouse]
    ) -> Iterator[Materialized | dg.AssetCheckResult]:
        with as_failure():
            result = steps.features(project, document, lake, everything=config.full_refresh)
            if not result.blocked:
                result = with_lineage(result, gold_lineage(project, document, lake))
        yield from dagster_events(context, project, key, lake, result)

    return features


def _check_specs(key: dg.AssetKey, config: FeatureConfig) -> list[dg.AssetCheckSpec]:
    unique = dg.AssetCheckSpec(UNIQUE, asset=key, blocking=True, description="No two rows have the same primary key.")
    online = dg.AssetCheckSpec(
        ONLINE, asset=key, description="The online store holds the newest row of each key and nothing else."
    )
    return [unique, online] if config.online_store_enabled else [unique]
