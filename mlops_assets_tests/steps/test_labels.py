from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mlops_assets.config import load_project
from mlops_assets.config.lineage import ModelDocuments, model_documents
from mlops_assets.lake import delta
from mlops_assets.lake.locations import Warehouse
from mlops_assets.monitoring.measures import window_performance
from mlops_assets.steps.labels import anomaly_label, as_anomalies

FLIGHTS = load_project(Path(__file__).parents[2] / "configs" / "flights")


def detector() -> ModelDocuments:
    (documents,) = model_documents(FLIGHTS)
    config = documents.training.config.model_copy(update={"model_type": "anomaly_detection"})
    return replace(documents, training=replace(documents.training, config=config))


@pytest.mark.parametrize(
    ("learned", "known", "recall"),
    [
        ([-1, 1, 1], [1, 1, -1, -1], 0.5),
        ([-1, 1, 1], [1, 1, 1, 1], None),
        ([1, 0, 0], [0, 0, 1, 1], 0.5),
        ([True, False, None], [False, False, False, False], None),
    ],
    ids=["scikit-learn's", "scikit-learn's without an anomaly", "ones", "truths"],
)
def test_an_anomaly_is_met_or_missed_however_labels_are_written(
    tmp_path: Path, learned: list[Any], known: list[Any], recall: float | None
) -> None:
    documents, lake = detector(), Warehouse(tmp_path)
    delta.append(
        lake.table("flights", "gold", documents.training_set), pl.DataFrame({"late": learned}), transactions={}
    )
    rows = pl.DataFrame({"window": "2024-01", "version": "1", "prediction": [1.0, 1.0, 1.0, -1.0], "late": known})
    found = as_anomalies(rows, "late", anomaly_label(FLIGHTS, documents, rows, lake))
    (one,) = window_performance(found, label="late", metrics=["recall", "accuracy"])
    assert one.value("recall") == recall
    assert one.value("accuracy") == 0.75
