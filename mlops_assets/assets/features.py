"""Feature documents as gold tables: keys, time and features as they were known at each row's time."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
from pydantic import Field

from mlops_assets.assets.errors import told
from mlops_assets.assets.keys import Materialized, shared, table_key
from mlops_assets.assets.launchpad import Knobs
from mlops_assets.assets.metadata import table_metadata
from mlops_assets.assets.pending import warn_pending
from mlops_assets.assets.rule_checks import block
from mlops_assets.assets.tables import dependencies, locate, locate_all
from mlops_assets.config import Document, FeatureConfig, Project
from mlops_assets.features.errors import FeatureError
from mlops_assets.features.online import OnlineDifference, compare_online, online_path, refresh_online
from mlops_assets.features.refresh import Refreshed, refresh
from mlops_assets.lake.locations import Warehouse

UNIQUE = "primary_keys_are_unique"
ONLINE = "online_store_is_consistent"


class FeatureKnobs(Knobs):
    """What a person may choose when a feature table is built."""

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
        context: dg.AssetExecutionContext, config: FeatureKnobs, lake: dg.ResourceParam[Warehouse]
    ) -> Iterator[Materialized | dg.AssetCheckResult]:
        warn_pending(context, document)
        table = lake.table(project.name, "gold", document.name)
        with told(FeatureError):
            done = refresh(
                document.config,
                source=locate(project, document.config.source_table, lake),
                joined=locate_all(project, joined, lake),
                table=table,
                everything=config.full_refresh,
            )
        context.log.info("%s rows read, %s inserted, %s updated", done.read, done.inserted, done.updated)
        unique = _unique_check(key, document.config, done)
        if not unique.passed:
            yield unique
            raise block(key, [str(unique.description)])
        online: dict[str, Any] = {}
        checks = [unique]
        if document.config.online_store_enabled:
            store = online_path(lake.home, project.name, document.name)
            with told(FeatureError):
                online = {"online_rows_read": refresh_online(document.config, table, store), "online_store": str(store)}
                checks.append(_online_check(key, compare_online(document.config, table, store)))
        yield dg.MaterializeResult(
            metadata={
                **table_metadata(table, keys=document.config.primary_keys),
                "rows_read": done.read,
                "rows_inserted": done.inserted,
                "rows_updated": done.updated,
                **online,
            },
            check_results=checks,
        )

    return features


def _check_specs(key: dg.AssetKey, config: FeatureConfig) -> list[dg.AssetCheckSpec]:
    unique = dg.AssetCheckSpec(UNIQUE, asset=key, blocking=True, description="No two rows have the same primary key.")
    online = dg.AssetCheckSpec(
        ONLINE, asset=key, description="The online store holds the newest row of each key and nothing else."
    )
    return [unique, online] if config.online_store_enabled else [unique]


def _online_check(key: dg.AssetKey, found: OnlineDifference) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=found.consistent,
        asset_key=key,
        check_name=ONLINE,
        description=f"of {found.keys} keys {found.missing} are missing, {found.unequal} have another row; "
        f"{found.extra} are no keys of the table",
        metadata={"keys": found.keys, "missing": found.missing, "unequal": found.unequal, "extra": found.extra},
    )


def _unique_check(key: dg.AssetKey, config: FeatureConfig, done: Refreshed) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=done.duplicates == 0 and done.nulls == 0,
        asset_key=key,
        check_name=UNIQUE,
        description=f"{done.duplicates} rows repeat {', '.join(config.primary_keys)}, {done.nulls} have a null in it",
        metadata={"duplicates": done.duplicates, "nulls": done.nulls},
    )
