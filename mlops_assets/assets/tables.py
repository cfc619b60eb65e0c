"""From the names that documents use for tables to asset keys and paths."""

import dagster as dg

from mlops_assets.assets.keys import table_key
from mlops_assets.config import Project
from mlops_assets.config.tables import resolve_table
from mlops_assets.steps.tables import locate, locate_all, path_of, tables_of

__all__ = ["dependencies", "locate", "locate_all", "path_of", "tables_of"]


def dependencies(project: Project, references: list[str]) -> list[dg.AssetKey]:
    """The assets behind the references that are the project's own tables."""
    found = (resolve_table(project, reference) for reference in references)
    return [table_key(project, ref.layer, ref.table) for ref in found if ref]
