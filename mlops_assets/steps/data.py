"""Data documents: bronze takes the source as it arrived, silver what its rules let through."""

from collections.abc import Mapping, Sequence

from mlops_assets.config import DataConfig, Document, Project
from mlops_assets.config.crosschecks.rule_types import rule_tables
from mlops_assets.lake import delta
from mlops_assets.lake.batch import Run
from mlops_assets.lake.compaction import compact_small_files
from mlops_assets.lake.ingest import ingest, partitions_of
from mlops_assets.lake.locations import Warehouse
from mlops_assets.lake.maintenance import size_of
from mlops_assets.lake.partition_runs import refine_partitions
from mlops_assets.lake.properties import describe_bronze, describe_quarantine, describe_silver
from mlops_assets.lake.quarantine import waiting_rows
from mlops_assets.lake.refine import refine
from mlops_assets.rules import columns, parse
from mlops_assets.steps.metadata import outcome_table, row_metadata, table_metadata
from mlops_assets.steps.result import StepResult, StepRun
from mlops_assets.steps.rule_checks import rule_checks
from mlops_assets.steps.table_checks import table_checks
from mlops_assets.steps.tables import path_of, source_location, tables_of


def bronze(project: Project, document: Document[DataConfig], lake: Warehouse) -> StepResult:
    """The source as it arrived: one row per source row, plus file, time and place of its arrival.

    Raises:
        LakeError: the source cannot be read as declared.
    """
    config = document.config
    table = tables_of(lake, project, document.name).bronze
    before = delta.version(table)
    # A feed must be on before the first correction.
    describe_bronze(config, table)
    ingested = ingest(config, source_location(project, document, lake), table, lake.engine)
    describe_bronze(config, table)
    compact_small_files(table)
    return StepResult(
        metadata={
            **table_metadata(table),
            **_size_metadata(table),
            **({"partitions": partitions_of(table, before, ingested.version)} if config.partitions else {}),
            "rows_read": ingested.rows,
            "files_read": list(ingested.files),
            "files_known": ingested.known,
            "files_ignored": list(ingested.ignored),
            "files_replaced": list(ingested.replaced),
            "columns_ignored": list(ingested.columns_ignored),
            "columns_ignored_count": len(ingested.columns_ignored),
        },
    )


def silver(
    project: Project, document: Document[DataConfig], config: DataConfig, lake: Warehouse, run: StepRun
) -> StepResult:
    """Bronze in declared types, transformed, validated, merged on key, as `config` (the document, with what was chosen
    for this run) says; rows that break an error rule go to the quarantine.

    Raises:
        LakeError, RuleError: the documents do not fit the rows.
    """
    tables = tables_of(lake, project, document.name)
    others = rule_tables(project, document)
    frames = {name: lake.engine.scan(path_of(project, ref, lake)) for name, ref in others.items()}
    if config.partitions:
        refined = refine_partitions(config, tables, Run(run.run_id), frames, lake.engine, run.partitions)
    else:
        refined = refine(config, tables, Run(run.run_id), frames, lake.engine)
    checks = rule_checks(config, refined)
    if refined.blocked:
        return StepResult(checks=checks, blocked=refined.blocked)
    describe_silver(config, tables.silver)
    describe_quarantine(config, tables.quarantine)
    for table in (tables.silver, tables.quarantine):
        compact_small_files(table)
    return StepResult(
        metadata={
            **table_metadata(tables.silver, keys=config.primary_keys, constraints=_constraints(config)),
            **_size_metadata(tables.silver),
            **row_metadata(refined.rows),
            "quarantine": tables.quarantine,
            "quarantine_rows": waiting_rows(tables.quarantine),
            "rules": outcome_table(refined.outcomes),
        },
        checks=[*checks, *table_checks(document, tables.silver)],
    )


def _size_metadata(table: str) -> dict[str, int]:
    size = size_of(table)
    return {"files": size.files, "bytes": size.size}


def _constraints(config: DataConfig) -> Mapping[str, Sequence[str]]:
    """The rules that read each column, as the UI's column constraints."""
    constraints: dict[str, list[str]] = {}
    for rule in config.validation_rules:
        for column in columns(parse(rule.condition)):
            constraints.setdefault(column, []).append(f"{rule.condition} ({rule.severity})")
    return constraints
