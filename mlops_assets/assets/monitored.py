"""The rows that monitoring looks at: new predictions with their features, predictions with the labels that have
arrived.
"""

from pathlib import Path

import polars as pl

from mlops_assets.assets.lineage import ModelDocuments
from mlops_assets.assets.tables import locate
from mlops_assets.config import MonitoringConfig, Project
from mlops_assets.config.base import last_part
from mlops_assets.features.table import identity
from mlops_assets.lake import delta
from mlops_assets.lake.locations import Warehouse
from mlops_assets.monitoring.watch import PREDICTION, DriftTables
from mlops_assets.monitoring.windows import window_of
from mlops_assets.registry import ModelVersion
from mlops_assets.serving.batch import score
from mlops_assets.serving.model import ServedModel

PREDICTIONS, LABELS = "predictions", "labels"  # transactions of the performance table
REFERENCE_ROWS = 100_000


def drift_tables(project: Project, lake: Warehouse) -> DriftTables:
    """Where the drift monitor keeps its three tables."""
    return DriftTables(*(lake.table(project.name, "monitoring", name) for name in ("references", "profiles", "drift")))


def performance_table(project: Project, config: MonitoringConfig, lake: Warehouse) -> str:
    """Where the metrics are kept: `performance`, or the last part of the document's `metrics_table`."""
    tracking = config.model_performance_tracking
    named = tracking.metrics_table if tracking else None
    return lake.table(project.name, "monitoring", last_part(named) if named else "performance")


def page_file(project: Project, lake: Warehouse) -> Path:
    """Where the monitor's page lies."""
    return Path(lake.table(project.name, "monitoring", "dashboard.html"))


def timezone(project: Project) -> str:
    """The zone in which windows begin: the schedule's."""
    schedule = project.pipeline.config.schedule
    return schedule.timezone if schedule else "UTC"


def watched_features(config: MonitoringConfig, model: ServedModel) -> list[str]:
    """The document's features to monitor, else all that the model takes."""
    named = config.data_drift_detection.features_to_monitor if config.data_drift_detection else []
    return list(named or model.inputs)


def training_rows(
    project: Project,
    documents: ModelDocuments,
    champion: ModelVersion,
    model: ServedModel,
    names: list[str],
    lake: Warehouse,
) -> pl.DataFrame:
    """What the champion learned from, as it was then, with the champion's own output. Columns: `names`, prediction.

    At most REFERENCE_ROWS, evenly spaced in the order of the keys: more move no quantile that a verdict rests on.
    """
    table = lake.table(project.name, "gold", documents.training_set)
    version = champion.table_versions.get(table)
    step = max(-(-delta.rows(table, version) // REFERENCE_ROWS), 1)
    rows = delta.scan(table, version).gather_every(step).collect()
    return _watched(rows, score(model, rows, version=champion.version, keep=[]), names)


def new_predictions(
    project: Project,
    documents: ModelDocuments,
    names: list[str],
    config: MonitoringConfig,
    lake: Warehouse,
    after: int | None,
    until: int,
) -> pl.DataFrame:
    """Predictions after a version of their table, with their features. Columns: window, `names`, prediction."""
    made = delta.changes(lake.table(project.name, "gold", documents.predictions), after, until)
    rows = _with_features(project, documents, made, lake)
    time = documents.features.config.timestamp_column
    return _watched(rows, rows, names).with_columns(rows.select(window_of(time, config.window, timezone(project))))


def _watched(rows: pl.DataFrame, predictions: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    output = "probability" if predictions["probability"].null_count() < predictions.height else "prediction"
    return rows.select(names).with_columns(predictions[output].alias(PREDICTION))


def _with_features(project: Project, documents: ModelDocuments, made: pl.DataFrame, lake: Warehouse) -> pl.DataFrame:
    """Predictions beside the features they were made from, in the order of the predictions."""
    config = documents.features.config
    time, keys = config.timestamp_column, identity(config)
    table = delta.scan(lake.table(project.name, "gold", documents.features.name))
    features = table.filter(pl.col(time).is_between(made[time].min(), made[time].max())).collect()
    return made.join(features, on=keys, how="left", maintain_order="left")


def labelled_rows(
    project: Project, documents: ModelDocuments, config: MonitoringConfig, lake: Warehouse, performance: str
) -> tuple[pl.DataFrame, dict[str, int]]:
    """Every prediction of the windows in which a prediction or a label is new, with features and label (null where it
    has not arrived), and the transactions that say so. Columns: window, version, prediction, probability, label,
    features.
    """
    features = documents.features.config
    label, time = documents.training.config.target_column, features.timestamp_column
    made = lake.table(project.name, "gold", documents.predictions)
    source = locate(project, features.source_table, lake)
    newest = {PREDICTIONS: delta.latest(made), LABELS: delta.latest(source)}
    window = window_of(time, config.window, timezone(project))
    changed = [
        delta.changes(path, delta.transaction_version(performance, name), newest[name]).select(window)
        for name, path in ((PREDICTIONS, made), (LABELS, source))
    ]
    touched = pl.concat(changed)["window"].unique()
    predictions = delta.scan(made).with_columns(window).filter(pl.col("window").is_in(touched.implode())).collect()
    if predictions.is_empty():
        return predictions, newest
    span = pl.col(time).is_between(predictions[time].min(), predictions[time].max())
    labels = delta.scan(source).filter(span).select(*features.primary_keys, label).collect()
    rows = _with_features(project, documents, predictions, lake)
    return rows.join(labels, on=features.primary_keys, how="left", maintain_order="left"), newest
