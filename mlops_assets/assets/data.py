"""Data documents as assets: the example's source files (where a document names one), bronze, and silver with its
quarantine.
"""

from collections.abc import Iterator, Mapping, Sequence

import dagster as dg
from pydantic import Field

from mlops_assets.assets.errors import told
from mlops_assets.assets.keys import Materialized, shared, table_key
from mlops_assets.assets.launchpad import Knobs, knobs, with_knobs
from mlops_assets.assets.metadata import outcome_table, row_metadata, table_metadata
from mlops_assets.assets.pending import warn_pending
from mlops_assets.assets.rule_checks import block, rule_check_specs, rule_checks
from mlops_assets.assets.table_checks import table_check_specs, table_checks
from mlops_assets.assets.tables import path_of
from mlops_assets.config import DataConfig, Document, Project
from mlops_assets.config.rule_types import rule_tables
from mlops_assets.lake.batch import Run
from mlops_assets.lake.ingest import ingest
from mlops_assets.lake.locations import Warehouse
from mlops_assets.lake.quarantine import waiting_rows
from mlops_assets.lake.refine import DataTables, refine
from mlops_assets.rules import columns, parse
from mlops_assets.samples import land


class SourceKnobs(Knobs):
    """What a person may choose when example data lands."""

    through: str | None = Field(default=None, description="Last month (YYYY-MM) or day whose rows land.")


def data_assets(project: Project, document: Document[DataConfig]) -> list[dg.AssetsDefinition]:
    """The assets of one data document, upstream first."""
    source = [source_asset(project, document)] if document.config.sample else []
    return [*source, bronze_asset(project, document), silver_asset(project, document)]


def tables_of(warehouse: Warehouse, project: Project, name: str) -> DataTables:
    """Where a data document's tables lie."""
    return DataTables(
        bronze=warehouse.table(project.name, "bronze", name),
        silver=warehouse.table(project.name, "silver", name),
        quarantine=warehouse.table(project.name, "silver", f"{name}_quarantine"),
    )


def source_asset(project: Project, document: Document[DataConfig]) -> dg.AssetsDefinition:
    """Source files of the packaged example, each written once."""
    sample = document.config.sample
    assert sample is not None
    default = sample.through

    class Chosen(SourceKnobs):
        through: str | None = Field(default=default, description="Last month (YYYY-MM) or day whose rows land.")

    @dg.asset(
        key=table_key(project, "source", document.name),
        description=f"The example data {sample.dataset} that the bronze table reads; nothing is written twice.",
        **shared(project, "source", ["delta" if document.config.format == "delta" else "file"]),
    )
    def source(context: dg.AssetExecutionContext, config: Chosen, lake: dg.ResourceParam[Warehouse]) -> Materialized:
        location = lake.source(document.config.source_path)
        written = land(sample.dataset, location, config.through, sample.rows)
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
    """The source as it arrived: one row a source row, plus file, time and place of its arrival."""
    config = document.config

    @dg.asset(
        key=table_key(project, "bronze", document.name),
        deps=[table_key(project, "source", document.name)] if config.sample else [],
        description=f"The source as it arrived, each file once. {config.description}",
        metadata={"source_path": config.source_path},
        **shared(project, "bronze", ["delta", "bronze"]),
    )
    def bronze(context: dg.AssetExecutionContext, lake: dg.ResourceParam[Warehouse]) -> Materialized:
        warn_pending(context, document)
        if document is project.data[0]:
            warn_pending(context, project.pipeline)
        table = tables_of(lake, project, document.name).bronze
        with told():
            done = ingest(config, lake.source(config.source_path), table, lake.engine)
        context.log.info("%s rows from %s new files, %s files known", done.rows, len(done.files), done.known)
        return dg.MaterializeResult(
            metadata={
                **table_metadata(table),
                "rows_read": done.rows,
                "files_read": list(done.files),
                "files_known": done.known,
                "files_ignored": list(done.ignored),
                "columns_ignored": list(done.columns_ignored),
                "columns_ignored_count": len(done.columns_ignored),
            }
        )

    return bronze


def silver_asset(project: Project, document: Document[DataConfig]) -> dg.AssetsDefinition:
    """Bronze in declared types, transformed, validated, merged on key; rows that break an error rule go to the
    quarantine.
    """
    key = table_key(project, "silver", document.name)
    others = rule_tables(project, document)
    chosen_fields = knobs(f"{document.name}_silver", document.config, ["max_error_fraction"])

    @dg.asset(
        key=key,
        deps=[
            table_key(project, "bronze", document.name),
            *(table_key(project, ref.layer, ref.table) for ref in others.values()),
        ],
        check_specs=[*rule_check_specs(key, document.config), *table_check_specs(key, document)],
        freshness_policy=_freshness(document.config),
        description=document.config.description,
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
        chosen = with_knobs(document.config, config)
        tables = tables_of(lake, project, document.name)
        with told():
            frames = {name: lake.engine.scan(path_of(project, ref, lake)) for name, ref in others.items()}
            done = refine(chosen, tables, Run(context.run.run_id), frames, lake.engine)
        checks = rule_checks(key, chosen, done)
        if done.blocked:
            yield from checks
            raise block(key, done.blocked)
        context.log.info("%s", done.rows)
        yield dg.MaterializeResult(
            metadata={
                **table_metadata(tables.silver, keys=chosen.primary_keys, constraints=_constraints(chosen)),
                **row_metadata(done.rows),
                "quarantine": tables.quarantine,
                "quarantine_rows": waiting_rows(tables.quarantine),
                "rules": outcome_table(done.outcomes),
            },
            check_results=[*checks, *table_checks(key, document, tables.silver)],
        )

    return silver


def _freshness(config: DataConfig) -> dg.FreshnessPolicy | None:
    if config.freshness is None:
        return None
    return dg.FreshnessPolicy.time_window(
        fail_window=config.freshness.fail_window, warn_window=config.freshness.warn_window
    )


def _constraints(config: DataConfig) -> Mapping[str, Sequence[str]]:
    """The rules that read each column, as the UI's column constraints."""
    found: dict[str, list[str]] = {}
    for rule in config.validation_rules:
        for column in columns(parse(rule.condition)):
            found.setdefault(column, []).append(f"{rule.condition} ({rule.severity})")
    return found
