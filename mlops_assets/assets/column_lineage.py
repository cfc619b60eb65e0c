"""Column lineage (`dagster/column_lineage`): the source columns of each column, derived from the documents."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import dagster as dg

from mlops_assets.assets.keys import table_key
from mlops_assets.config import DataConfig, Document, FeatureConfig, Project
from mlops_assets.config.tables import resolve_table
from mlops_assets.config.transform_steps import Derive, DropColumns, RenameColumns, Split
from mlops_assets.lake import delta
from mlops_assets.lake.locations import Warehouse
from mlops_assets.lake.refine import DataTables
from mlops_assets.rules import columns, parse
from mlops_assets.steps.result import StepResult
from mlops_assets.steps.tables import locate

Origins = dict[str, frozenset[str]]
LINEAGE = "dagster/column_lineage"


def with_lineage(result: StepResult, lineage: dict[str, Any]) -> StepResult:
    """A step's result with the lineage added to its metadata."""
    return replace(result, metadata={**result.metadata, **lineage})


def silver_lineage(config: DataConfig, bronze: dg.AssetKey, tables: DataTables) -> dict[str, Any]:
    """Metadata with the bronze columns of each silver column."""
    arrived = [name for name in delta.schema(tables.bronze) if not name.startswith("_")]
    origins = silver_origins(config, arrived)
    names = delta.schema(tables.silver)
    deps = {name: [dg.TableColumnDep(bronze, source) for source in sorted(origins.get(name, ()))] for name in names}
    return {LINEAGE: dg.TableColumnLineage({name: found for name, found in deps.items() if found})}


def silver_origins(config: DataConfig, arrived: Iterable[str]) -> Origins:
    """The bronze columns that each silver column is computed from."""
    origins: Origins = {name: frozenset({name}) for name in arrived}
    origins |= {name: frozenset({own}) for own, name in config.arrival_columns.items()}
    for step in config.transformation_steps:
        origins = _origins_after(step, origins)
    if config.mode == "scd2":
        moment = origins.get(config.sequence, frozenset()) if config.sequence else frozenset({"_ingested_at"})
        origins |= dict.fromkeys(("valid_from", "valid_to", "is_current"), moment)
    return origins


def _origins_after(step: Any, origins: Origins) -> Origins:
    match step:
        case DropColumns():
            return {name: found for name, found in origins.items() if name not in step.columns}
        case RenameColumns():
            return {step.mapping.get(name, name): found for name, found in origins.items()}
        case Derive():
            for name, text in step.columns.items():
                origins = {**origins, name: _origins_of(origins, columns(parse(text)))}
            return origins
        case Split():
            return {**origins, **dict.fromkeys(step.into, origins.get(step.column, frozenset()))}
    return origins


def _origins_of(origins: Mapping[str, frozenset[str]], names: Iterable[str]) -> frozenset[str]:
    return frozenset().union(*(origins.get(name, frozenset()) for name in names))


def gold_lineage(project: Project, document: Document[FeatureConfig], lake: Warehouse) -> dict[str, Any]:
    """Metadata with the columns of the source and the joined tables that each feature is computed from.

    Tables outside the project are left out.
    """
    config = document.config
    origins = {name: [(config.source_table, name)] for name in _columns(project, config.source_table, lake)}
    for aggregate in config.aggregates:
        read = [aggregate.column, *config.grouped_by(aggregate)]
        origins |= {name: [(config.source_table, column) for column in read] for name in aggregate.names}
    for join in config.joins:
        keys = list(join.on.values()) if isinstance(join.on, dict) else list(join.on)
        every = [name for name in _columns(project, join.table, lake) if name not in (*keys, join.as_of)]
        taken = join.columns or every
        origins |= {join.prefix + join.rename.get(name, name): [(join.table, name)] for name in taken}
    names = delta.schema(lake.table(project.name, "gold", document.name))
    deps = {name: [dep for each in origins.get(name, ()) if (dep := _column_dep(project, *each))] for name in names}
    return {LINEAGE: dg.TableColumnLineage({name: each for name, each in deps.items() if each})}


def _columns(project: Project, reference: str, lake: Warehouse) -> list[str]:
    return delta.schema(locate(project, reference, lake)).names()


def _column_dep(project: Project, reference: str, column: str) -> dg.TableColumnDep | None:
    table = resolve_table(project, reference)
    return dg.TableColumnDep(table_key(project, table.layer, table.table), column) if table else None
