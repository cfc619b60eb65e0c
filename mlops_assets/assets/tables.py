"""From the names that documents use for tables to asset keys and paths."""

from collections.abc import Mapping

import dagster as dg

from mlops_assets.assets.keys import table_key
from mlops_assets.config import Project
from mlops_assets.config.tables import TableRef, resolve_table
from mlops_assets.lake.locations import Warehouse


def dependencies(project: Project, references: list[str]) -> list[dg.AssetKey]:
    """The assets behind the references that are the project's own tables."""
    found = (resolve_table(project, reference) for reference in references)
    return [table_key(project, ref.layer, ref.table) for ref in found if ref]


def locate(project: Project, reference: str, warehouse: Warehouse) -> str:
    """Where the Delta table behind a reference lies: the project's own, or the documented path."""
    ref = resolve_table(project, reference)
    return path_of(project, ref, warehouse) if ref else warehouse.source(reference)


def path_of(project: Project, ref: TableRef, warehouse: Warehouse) -> str:
    """Where one of the project's tables lies."""
    return warehouse.table(project.name, ref.layer, ref.table)


def locate_all(project: Project, references: list[str], warehouse: Warehouse) -> Mapping[str, str]:
    """Path by reference."""
    return {reference: locate(project, reference, warehouse) for reference in references}
