"""Data documents as assets: packaged example files (if the document names any), bronze, silver and its quarantine."""

from collections.abc import Iterator

import dagster as dg
from pydantic import Field

from mlops_assets.assets.column_lineage import silver_lineage, with_lineage
from mlops_assets.assets.dagster_events import dagster_events
from mlops_assets.assets.errors import as_failure
from mlops_assets.assets.keys import Materialized, shared, table_key
from mlops_assets.assets.launchpad import launch_config, with_launch_config
from mlops_assets.assets.partitions import add_partitions, chosen_partitions, partitions_of
from mlops_assets.assets.rule_checks import rule_check_specs
from mlops_assets.assets.table_checks import table_check_specs
from mlops_assets.config import DataConfig, Document, Project
from mlops_assets.config.crosschecks.references import source_of
from mlops_assets.config.crosschecks.rule_types import rule_tables
from mlops_assets.lake.locations import Warehouse
from mlops_assets.samples import land
from mlops_assets.steps import data as steps
from mlops_assets.steps.result import StepRun
from mlops_assets.steps.tables import tables_of


def data_assets(project: Project, document: Document[DataConfig]) -> list[dg.AssetsDefinition]:
    """The assets of one data document, upstream first."""
    source = [source_asset(project, document)] if document.config.sample else []
    return [*source, bronze_asset(project, document), silver_asset(project, document)]


def source_asset(project: Project, document: Document[DataConfig]) -> dg.AssetsDefinition:
    """The source files of a packaged example, each written once."""
    sample = document.config.sample
    assert sample is not None
    through = Field(default=sample.through, description="Last month (YYYY-MM) or day whose rows land.")
    chosen_fields = launch_config(f"{document.name}_source", sample, [], through=(str | None, through))

    @dg.asset(
        key=table_key(project, "source", document.name),
        description=f"The example data {sample.dataset}, read by the bronze table; each file is written once.",
        **shared(project, "source", ["delta" if document.config.format == "delta" else "file"]),
    )
    def source(
        context: dg.AssetExecutionContext,
        config: chosen_fields,  # type: ignore[valid-type]
        lake: dg.ResourceParam[Warehouse],
    ) -> Materialized:
        location = lake.source(document.config.source_path)
        with as_failure():
            written = land(sample.dataset, location, config.through, sample.rows)  # type: ignore[attr-defined]
        context.log.info("%s files written to %s", len(written), location)
        return dg.MaterializeResult(
            metadata={
                "dagster/uri": location,
                "files_written": len(written),
                "files": [file.name for file in written],
            }
        )

    return source


def bronze_asset(project: Project, document: Document[DataConfig]) -> dg.AssetsDefinition:
    """The source as it arrived: one row per source row, plus its file, ingestion time and row id."""
    config = document.config
    key = table_key(project, "bronze", document.name)

    @dg.asset(
        key=key,
        deps=_upstream(project, document),
        description=f"The source as it arrived, each file once. {config.description}".strip(),
        metadata={"source_path": config.source_path},
        **shared(project, "bronze", ["delta", "bronze"]),
    )
    def bronze(
        context: dg.AssetExecutionContext, lake: dg.ResourceParam[Warehouse]
    ) -> Iterator[Materialized | dg.AssetCheckResult]:
        with as_failure():
            result = steps.bronze(project, document, lake)
        add_partitions(context, project, document, result.metadata.get("partitions", ()))
        yield from dagster_events(context, project, key, lake, result)

    return bronze


def _upstream(project: Project, document: Document[DataConfig]) -> list[dg.AssetKey]:
    """The assets a bronze table depends on: the example data, or the table of the document that it reads."""
    if document.config.sample:
        return [table_key(project, "source", document.name)]
    ref = source_of(project, document)
    return [table_key(project, ref.layer, ref.table)] if ref else []


def silver_asset(project: Project, document: Document[DataConfig]) -> dg.AssetsDefinition:
    """Bronze rows in declared types, transformed, validated and merged by key.

    Rows that break an error rule go to the quarantine.
    """
    key = table_key(project, "silver", document.name)
    others = rule_tables(project, document)
    chosen_fields = launch_config(f"{document.name}_silver", document.config, ["max_error_fraction"])

    @dg.asset(
        key=key,
        deps=[
            table_key(project, "bronze", document.name),
            *(table_key(project, ref.layer, ref.table) for ref in others.values()),
        ],
        check_specs=[*rule_check_specs(key, document.config), *table_check_specs(key, document)],
        freshness_policy=_freshness(document.config),
        partitions_def=partitions_of(project, document),
        description=document.config.description or _default_description(document.config),
        metadata={
            "destination_path": document.config.destination_path,
        },
        **shared(project, "silver", ["delta", "silver"]),
    )
    def silver(
        context: dg.AssetExecutionContext,
        config: chosen_fields,  # type: ignore[valid-type]
        lake: dg.ResourceParam[Warehouse],
    ) -> Iterator[Materialized | dg.AssetCheckResult]:
        chosen = with_launch_config(document.config, config)
        with as_failure():
            run = StepRun(context.run.run_id, partitions=chosen_partitions(context))
            result = steps.silver(project, document, chosen, lake, run)
            if not result.blocked:
                tables = tables_of(lake, project, document.name)
                result = with_lineage(
                    result, silver_lineage(chosen, table_key(project, "bronze", document.name), tables)
                )
        yield from dagster_events(context, project, key, lake, result)

    return silver


def _default_description(config: DataConfig) -> str:
    return f"Rows of {config.source_path} after steps and rules; rows that break an error rule are in the quarantine."


def _freshness(config: DataConfig) -> dg.FreshnessPolicy | None:
    if config.freshness is None:
        return None
    return dg.FreshnessPolicy.time_window(
        fail_window=config.freshness.fail_window, warn_window=config.freshness.warn_window
    )
