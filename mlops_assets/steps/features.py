"""Feature documents: gold tables with keys, time and features as they were known at each row's time."""

from typing import Any

from mlops_assets.config import Document, FeatureConfig, Project
from mlops_assets.features.online import OnlineDifference, compare_online, refresh_online
from mlops_assets.features.online_store import online_store
from mlops_assets.features.refresh import Refreshed, refresh
from mlops_assets.lake.locations import Warehouse
from mlops_assets.steps.metadata import table_metadata
from mlops_assets.steps.result import Check, StepResult
from mlops_assets.steps.tables import locate, locate_all

UNIQUE = "primary_keys_are_unique"
ONLINE = "online_store_is_consistent"


def features(
    project: Project, document: Document[FeatureConfig], lake: Warehouse, *, everything: bool = False
) -> StepResult:
    """One gold feature table, one row per primary key; builds the rows that changed, or all if `everything`.

    Raises:
        LakeError, FeatureError: the documents do not fit the tables.
    """
    config = document.config
    table = lake.table(project.name, "gold", document.name)
    refreshed = refresh(
        config,
        source=locate(project, config.source_table, lake),
        joined=locate_all(project, [join.table for join in config.joins], lake),
        table=table,
        engine=lake.engine,
        everything=everything,
    )
    unique = _unique_check(config, refreshed)
    if not unique.passed:
        return StepResult(checks=[unique], blocked=[unique.description])
    online, checks = _refresh_online_store(project, document, lake, table)
    return StepResult(
        metadata={
            **table_metadata(table, keys=config.primary_keys),
            "rows_read": refreshed.read,
            "rows_inserted": refreshed.inserted,
            "rows_updated": refreshed.updated,
            "rows_deleted": refreshed.deleted,
            **online,
        },
        checks=[unique, *checks],
    )


def _refresh_online_store(
    project: Project, document: Document[FeatureConfig], lake: Warehouse, table: str
) -> tuple[dict[str, Any], list[Check]]:
    """Update the online store, if the document has one; returns metadata and checks."""
    if not document.config.online_store_enabled:
        return {}, []
    store = online_store(lake.home, project.name, document.name, lake.online_url)
    metadata = {"online_rows_read": refresh_online(document.config, table, store), "online_store": store.place}
    return metadata, [_online_check(compare_online(document.config, table, store))]


def _online_check(difference: OnlineDifference) -> Check:
    return Check(
        ONLINE,
        difference.consistent,
        f"of {difference.keys} keys {difference.missing} are missing, {difference.unequal} have another row; "
        f"{difference.extra} are no keys of the table",
        {
            "keys": difference.keys,
            "missing": difference.missing,
            "unequal": difference.unequal,
            "extra": difference.extra,
        },
    )


def _unique_check(config: FeatureConfig, refreshed: Refreshed) -> Check:
    return Check(
        UNIQUE,
        refreshed.duplicates == 0 and refreshed.nulls == 0,
        f"{refreshed.duplicates} rows repeat {', '.join(config.primary_keys)}, {refreshed.nulls} have a null in it",
        {"duplicates": refreshed.duplicates, "nulls": refreshed.nulls},
    )
