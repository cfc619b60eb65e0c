"""The tables that a step has written, as Unity Catalog is told of them."""

from collections.abc import Iterator, Sequence
from typing import get_args

from mlops_assets.config import DataConfig, FeatureConfig, Project
from mlops_assets.config.tables import Layer, TableRef, tables_of
from mlops_assets.lake import delta
from mlops_assets.lake.locations import Warehouse
from mlops_assets.steps.tables import path_of
from mlops_assets.unity_tables import UnityTable, table_name

COMMENTS = {"bronze": "The source as it arrived.", "gold": "What a model learns from."}


def written_tables(project: Project, step: Sequence[str], lake: Warehouse, schema: str) -> list[UnityTable]:
    """The tables of a step's asset key (`silver/flights`), the asset's own first; those that are not there yet left
    out.
    """
    layer, name = step
    names = [name, f"{name}_quarantine"] if layer == "silver" else [name]
    refs = [TableRef(known, each) for known in get_args(Layer) for each in names if known == layer]
    return list(_described(project, refs, lake, schema))


def _described(project: Project, refs: Sequence[TableRef], lake: Warehouse, schema: str) -> Iterator[UnityTable]:
    pipeline, documents = project.pipeline.config, dict(tables_of(project))
    for ref in refs:
        path = path_of(project, ref, lake)
        if not delta.exists(path):
            continue
        config = documents[ref].config if ref in documents else None
        tags = config.tags if isinstance(config, FeatureConfig) else {}
        facts = {"project": project.name, "layer": ref.layer, "environment": pipeline.environment}
        yield UnityTable(
            table_name(schema, project, ref.layer, ref.table, _documented(ref, config)),
            path,
            _comment(ref, config),
            {**pipeline.tags, **tags, **facts},
        )


def _documented(ref: TableRef, config: object) -> str:
    """The name that a document gives its own table; those beside it (bronze, quarantine) have none."""
    if isinstance(config, DataConfig) and ref.layer == "silver" and not ref.table.endswith("_quarantine"):
        return config.destination_path
    return config.feature_table_name if isinstance(config, FeatureConfig) else ""


def _comment(ref: TableRef, config: object) -> str:
    if ref.table.endswith("_quarantine"):
        return "Rows that broke error rules, as they arrived."
    described = config.description if isinstance(config, (DataConfig, FeatureConfig)) else ""
    return described or COMMENTS.get(ref.layer, "")
