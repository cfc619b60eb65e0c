"""Labels for measuring a model: anomalies as 1, whatever their encoding; and the drift of labels."""

from collections.abc import Callable

import polars as pl
import polars.selectors as cs

from mlops_assets.config import MonitoringConfig, Project
from mlops_assets.config.lineage import ModelDocuments
from mlops_assets.lake import delta
from mlops_assets.lake.locations import Warehouse
from mlops_assets.monitoring import slices
from mlops_assets.monitoring.label_drift import label_drift
from mlops_assets.monitoring.performance import MetricValue
from mlops_assets.registry import ModelVersion
from mlops_assets.steps.reference import learned_rows


def anomaly_label(project: Project, documents: ModelDocuments, rows: pl.DataFrame, lake: Warehouse) -> int | None:
    """The label of an anomaly: -1 in scikit-learn's encoding, else 1; None for other types of model.

    A window without anomalies is ambiguous, so the training set is looked at too.
    """
    if documents.training.config.model_type != "anomaly_detection" or rows.is_empty():
        return None
    label = pl.col(documents.training.config.target_column).cast(pl.Float64)
    learned = delta.scan(lake.table(project.name, "gold", documents.training_set))
    has_own_label = (each.select((label == -1).any()).collect().item() for each in (rows.lazy(), learned))
    return -1 if any(has_own_label) else 1


def as_anomalies(rows: pl.DataFrame, label: str, anomaly: int | None) -> pl.DataFrame:
    """The rows with predictions and labels as 1 for an anomaly, else 0; unchanged for other types of model."""
    if anomaly is None:
        return rows
    predicted, actual = (cs.by_name(name, require_all=False).cast(pl.Float64) for name in ("prediction", label))
    return rows.with_columns((predicted == -1).cast(pl.Float64), (actual == anomaly).cast(pl.Float64))


def drift_of_labels(
    project: Project,
    documents: ModelDocuments,
    config: MonitoringConfig,
    champion: ModelVersion,
    lake: Warehouse,
    anomaly: int | None,
) -> Callable[[pl.DataFrame], list[MetricValue]]:
    """The drift of a window's labels from those that the champion learned from: of all, and of each slice."""
    label = documents.training.config.target_column
    learned = as_anomalies(learned_rows(project, documents, champion, config.slices, lake), label, anomaly)
    parts = slices.slice_rows(learned, config.slices, at_least=config.min_sample)
    classes = documents.training.config.model_type != "regression"

    def measure(window: pl.DataFrame) -> list[MetricValue]:
        return [
            label_drift(
                slices.rows_of(window, name)[label], part[label], part=name, classes=classes, least=config.min_sample
            )
            for name, part in parts.items()
        ]

    return measure
