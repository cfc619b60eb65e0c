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
    """One gold feature table, a row per primary key: rows that changed since, or `everything` anew.

    Raises:
        LakeError, FeatureError: the documents do not fit the tables.
    """
    config = document.config
    table = lake.table(project.name, "gold", document.name)
    done = refresh(
        config,
        source=locate(project, config.source_table, lake),
        joined=locate_all(project, [join.table for join in config.joins], lake),
        table=table,
        engine=lake.engine,
        everything=everything,
    )
    unique = _unique_check(config, done)
    if not unique.passed:
        return StepResult(checks=[unique], blocked=[unique.description])
    online, checks = _online(project, document, lake, table)
    return StepResult(
        metadata={
            **table_metadata(table, keys=config.primary_keys),
            "rows_read": done.read,
            "rows_inserted": done.inserted,
            "rows_updated": done.updated,
            "rows_deleted": done.deleted,
            **online,
        },
        checks=[unique, *checks],
    )


def _online(
    project: Project, document: Document[FeatureConfig], lake: Warehouse, table: str
) -> tuple[dict[str, Any], list[Check]]:
    """The online store brought up to the table, where the document has one."""
    if not document.config.online_store_enabled:
        return {}, []
    store = online_store(lake.home, project.name, document.name, lake.online_url)
    shown = {"online_rows_read": refresh_online(document.config, table, store), "online_store": store.place}
    return shown, [_online_check(compare_online(document.config, table, store))]


def _online_check(found: OnlineDifference) -> Check:
    return Check(
        ONLINE,
        found.consistent,
        f"of {found.keys} keys {found.missing} are missing, {found.unequal} have another row; "
        f"{found.extra} are no keys of the table",
        {"keys": found.keys, "missing": found.missing, "unequal": found.unequal, "extra": found.extra},
    )


def _unique_check(config: FeatureConfig, done: Refreshed) -> Check:
    return Check(
        UNIQUE,
        done.duplicates == 0 and done.nulls == 0,
        f"{done.duplicates} rows repeat {', '.join(config.primary_keys)}, {done.nulls} have a null in it",
        {"duplicates": done.duplicates, "nulls": done.nulls},
    )
