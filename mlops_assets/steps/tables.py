"""Paths of the tables that documents name."""

from collections.abc import Mapping

from mlops_assets.config import DataConfig, Document, Project
from mlops_assets.config.crosschecks.references import source_of
from mlops_assets.config.tables import TableRef, resolve_table
from mlops_assets.lake.locations import Warehouse
from mlops_assets.lake.refine import DataTables


def locate(project: Project, reference: str, warehouse: Warehouse) -> str:
    """The path of the Delta table that a reference means: one of the project's, or the documented path."""
    ref = resolve_table(project, reference)
    return path_of(project, ref, warehouse) if ref else warehouse.source(reference)


def source_location(project: Project, document: Document[DataConfig], warehouse: Warehouse) -> str:
    """The path of a data document's source: another document's table, or the documented path."""
    ref = source_of(project, document)
    return path_of(project, ref, warehouse) if ref else warehouse.source(document.config.source_path)


def path_of(project: Project, ref: TableRef, warehouse: Warehouse) -> str:
    """The path of one of the project's tables."""
    return warehouse.table(project.name, ref.layer, ref.table)


def locate_all(project: Project, references: list[str], warehouse: Warehouse) -> Mapping[str, str]:
    """Path by reference."""
    return {reference: locate(project, reference, warehouse) for reference in references}


def tables_of(warehouse: Warehouse, project: Project, name: str) -> DataTables:
    """The paths of a data document's tables."""
    return DataTables(
        bronze=warehouse.table(project.name, "bronze", name),
        silver=warehouse.table(project.name, "silver", name),
        quarantine=warehouse.table(project.name, "silver", f"{name}_quarantine"),
    )
