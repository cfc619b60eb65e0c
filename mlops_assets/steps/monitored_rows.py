"""Rows that monitoring reads: new predictions with their features, predictions with the labels that have arrived."""

from datetime import datetime, timedelta

import polars as pl
import polars.selectors as cs

from mlops_assets.config import MonitoringConfig, Project
from mlops_assets.config.lineage import ModelDocuments
from mlops_assets.features.table import identity
from mlops_assets.lake import delta
from mlops_assets.lake.locations import Warehouse
from mlops_assets.monitoring.watch import PREDICTION
from mlops_assets.monitoring.windows import whole_windows, window_of
from mlops_assets.serving.model import ServedModel
from mlops_assets.steps.tables import locate

LENGTHS = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
    "month": timedelta(days=31),
}
PREDICTIONS, LABELS = "predictions", "labels"  # transactions of the performance table


def newest_prediction(project: Project, documents: ModelDocuments, lake: Warehouse) -> datetime:
    """The time of the newest scored row, from the table's log if its statistics have it."""
    table = lake.table(project.name, "gold", documents.predictions)
    time = documents.features.config.timestamp_column
    files, largest = delta.files(table), f"max.{time}"
    known = largest in files.columns and files[largest].null_count() == 0
    rows = files.lazy().rename({largest: time}) if known else delta.scan(table)
    newest: datetime = rows.select(pl.col(time).cast(pl.Datetime("us", "UTC")).max()).collect().item()
    return newest


def watched_features(config: MonitoringConfig, model: ServedModel) -> list[str]:
    """The document's features to monitor, else all that the model takes."""
    named = config.data_drift_detection.features_to_monitor if config.data_drift_detection else []
    return list(named or model.inputs)


def with_slices(names: list[str], config: MonitoringConfig) -> list[str]:
    """The names, and the columns that slices are cut by."""
    return list(dict.fromkeys([*names, *config.slices]))


def new_predictions(
    project: Project,
    documents: ModelDocuments,
    model: ServedModel,
    names: list[str],
    config: MonitoringConfig,
    lake: Warehouse,
    after: int | None,
    until: int,
) -> pl.DataFrame:
    """Predictions after a version of their table, with their features. Columns: window, `names`, prediction.

    Rows that were scored again are not new.
    """
    table = lake.table(project.name, "gold", documents.predictions)
    made = delta.changes(table, after, until)
    if after is not None and delta.rewritten(table, after, until):
        known = delta.scan(table, after).select(identity(documents.features.config)).collect()
        made = made.join(known, on=known.columns, how="anti", maintain_order="left")
    rows = _with_features(project, documents, made, lake)
    time = documents.features.config.timestamp_column
    return with_output(rows, rows, names, model).with_columns(
        rows.select(window_of(time, config.window, project.timezone))
    )


def with_output(rows: pl.DataFrame, predictions: pl.DataFrame, names: list[str], model: ServedModel) -> pl.DataFrame:
    """The columns `names`, and the model's output: the positive class's probability, else the prediction."""
    scored = predictions["probability"].null_count() < predictions.height and len(model.classes or ()) <= 2
    return rows.select(names).with_columns(predictions["probability" if scored else "prediction"].alias(PREDICTION))


def _with_features(project: Project, documents: ModelDocuments, made: pl.DataFrame, lake: Warehouse) -> pl.DataFrame:
    """Predictions joined with their features, in the order of the predictions."""
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
    time = features.timestamp_column
    made = lake.table(project.name, "gold", documents.predictions)
    source = locate(project, features.source_table, lake)
    newest = {PREDICTIONS: delta.latest(made), LABELS: delta.latest(source)}
    window = window_of(time, config.window, project.timezone)
    changed = pl.concat(
        delta.changes(path, delta.transaction_version(performance, name), newest[name]).select(time)
        for name, path in ((PREDICTIONS, made), (LABELS, source))
    )
    touched = changed.select(window)["window"].unique()
    bounds = whole_windows(time, changed[time], config.window, project.timezone)
    found = delta.scan(made).filter(bounds).with_columns(window)
    predictions = found.filter(pl.col("window").is_in(touched.implode())).collect()
    if predictions.is_empty():
        return predictions, newest
    return _with_labels(project, documents, predictions, lake), newest


def labelled_before(
    project: Project, documents: ModelDocuments, config: MonitoringConfig, lake: Warehouse, rows: pl.DataFrame
) -> pl.DataFrame:
    """Predictions of the eight windows before the first of `rows`, with features and label, oldest first; the columns
    are those of `labelled_rows`.
    """
    time = documents.features.config.timestamp_column
    first, window = rows[time].min(), window_of(time, config.window, project.timezone)
    earlier = (pl.col(time) < first) & (pl.col(time) >= first - 8 * LENGTHS[config.window])  # type: ignore[operator]
    made = delta.scan(lake.table(project.name, "gold", documents.predictions)).filter(earlier).with_columns(window)
    predictions = made.sort(time).collect()
    return _with_labels(project, documents, predictions, lake) if predictions.height else rows.clear()


def _with_labels(project: Project, documents: ModelDocuments, made: pl.DataFrame, lake: Warehouse) -> pl.DataFrame:
    features, label = documents.features.config, documents.training.config.target_column
    rows = _with_features(project, documents, made, lake)
    if label in rows.columns:  # as training has it, the feature table's comes first
        return rows
    time, source = features.timestamp_column, locate(project, features.source_table, lake)
    span = pl.col(time).is_between(made[time].min(), made[time].max())
    labels = delta.scan(source).filter(span).select(*features.primary_keys, label).collect()
    # Not a number is no label: a metric over it would be none.
    labels = labels.with_columns((cs.by_name(label) & cs.float()).fill_nan(None))
    return rows.join(labels, on=features.primary_keys, how="left", maintain_order="left")
