"""Feature documents as gold tables: keys, time and features as they were known at each row's time."""

from collections.abc import Iterator

import dagster as dg
from pydantic import Field

from mlops_assets.assets.errors import told
from mlops_assets.assets.keys import shared, table_key
from mlops_assets.assets.launchpad import Knobs
from mlops_assets.assets.metadata import table_metadata
from mlops_assets.assets.tables import dependencies, locate, locate_all
from mlops_assets.config import Document, FeatureConfig, Project
from mlops_assets.features.refresh import refresh
from mlops_assets.lake.locations import Warehouse

UNIQUE = "primary_keys_are_unique"


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
        check_specs=[
            dg.AssetCheckSpec(UNIQUE, asset=key, blocking=True, description="No two rows have the same primary key.")
        ],
        description=config.description or f"Features from {config.source_table}.",
        **shared(project, "gold", ["delta", "gold"], config.tags),
    )
    def features(
        context: dg.AssetExecutionContext, config: FeatureKnobs, lake: dg.ResourceParam[Warehouse]
    ) -> Iterator[dg.MaterializeResult]:
        table = lake.table(project.name, "gold", document.name)
        with told():
            done = refresh(
                document.config,
                source=locate(project, document.config.source_table, lake),
                joined=locate_all(project, joined, lake),
                table=table,
                everything=config.full_refresh,
            )
        context.log.info("%s rows read, %s inserted, %s updated", done.read, done.inserted, done.updated)
        yield dg.MaterializeResult(
            metadata={
                **table_metadata(table, keys=document.config.primary_keys),
                "rows_read": done.read,
                "rows_inserted": done.inserted,
                "rows_updated": done.updated,
            },
            check_results=[
                dg.AssetCheckResult(
                    passed=done.duplicates == 0,
                    asset_key=key,
                    check_name=UNIQUE,
                    description=f"{done.duplicates} rows repeat a primary key ({', '.join(document.config.primary_keys)})",
                    metadata={"duplicates": done.duplicates},
                )
            ],
        )

    return features
