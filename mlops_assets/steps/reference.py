"""Reference rows of the drift monitor: the document's reference dataset, or what the champion learned from."""

from collections.abc import Callable, Sequence

import polars as pl

from mlops_assets.config import Project
from mlops_assets.config.lineage import ModelDocuments
from mlops_assets.config.tables import resolve_table
from mlops_assets.features.table import identity
from mlops_assets.lake import delta
from mlops_assets.lake.errors import LakeError
from mlops_assets.lake.locations import Warehouse
from mlops_assets.lake.sources import is_remote
from mlops_assets.registry import ModelVersion
from mlops_assets.serving.batch import score
from mlops_assets.serving.model import ServedModel
from mlops_assets.steps.monitored_rows import with_output
from mlops_assets.steps.tables import locate

MOST_ROWS = 100_000

Warn = Callable[..., None]


def reference_rows(
    project: Project,
    documents: ModelDocuments,
    champion: ModelVersion,
    model: ServedModel,
    names: list[str],
    lake: Warehouse,
    warn: Warn,
) -> pl.DataFrame:
    """The rows that new rows are compared with, and the champion's predictions for them. Columns: `names`, prediction.

    At most MOST_ROWS, evenly spaced: more move no quantile that a verdict rests on. `warn` takes a logger's warning.

    Raises:
        LakeError: the reference dataset is not there and cannot be made, or lacks a column.
    """
    dataset = _reference_dataset(documents)
    columns = list(dict.fromkeys([*names, *model.inputs]))
    rows = (
        _dataset_rows(project, documents, champion, dataset, lake, warn)
        if dataset
        else learned_rows(project, documents, champion, columns, lake)
    )
    missing = [name for name in columns if name not in rows.columns]
    if missing:
        where = f"reference_dataset {dataset}" if dataset else f"the feature table {documents.features.name}"
        raise LakeError(f"{where} has no column {', '.join(missing)}; it has {', '.join(rows.columns)}")
    return with_output(rows, score(model, rows, version=champion.version, keep=[]), names, model)


def learned_rows(
    project: Project, documents: ModelDocuments, champion: ModelVersion, names: Sequence[str], lake: Warehouse
) -> pl.DataFrame:
    """The champion's training rows; other columns of `names` are joined from the current feature table."""
    rows = _training_rows(project, documents, champion, lake)
    features = delta.scan(lake.table(project.name, "gold", documents.features.name))
    extra = [name for name in features.collect_schema() if name in names and name not in rows.columns]
    if not extra:
        return rows
    keys = identity(documents.features.config)
    return rows.join(features.select(*keys, *extra).collect(), on=keys, how="left", maintain_order="left")


def _reference_dataset(documents: ModelDocuments) -> str | None:
    drift = documents.monitoring.config.data_drift_detection if documents.monitoring else None
    return drift.reference_dataset if drift else None


def _training_rows(
    project: Project, documents: ModelDocuments, champion: ModelVersion, lake: Warehouse
) -> pl.DataFrame:
    """The champion's training rows, as they were when it learned from them."""
    table = lake.table(project.name, "gold", documents.training_set)
    return _evenly_spaced(table, champion.table_versions.get(table))


def _dataset_rows(
    project: Project, documents: ModelDocuments, champion: ModelVersion, dataset: str, lake: Warehouse, warn: Warn
) -> pl.DataFrame:
    path = locate(project, dataset, lake)
    if not delta.exists(path):
        if resolve_table(project, dataset) or is_remote(path):
            raise LakeError(f"reference_dataset {dataset}: there is no Delta table at {path}")
        warn(
            "reference_dataset %s: there is no table yet; version %s's training rows are kept there",
            dataset,
            champion.version,
        )
        delta.append(path, _training_rows(project, documents, champion, lake), transactions={})
    return _evenly_spaced(path, None)


def _evenly_spaced(table: str, version: int | None) -> pl.DataFrame:
    step = max(-(-delta.rows(table, version) // MOST_ROWS), 1)
    return delta.scan(table, version).gather_every(step).collect()
