"""Documents and rows for the tests of training."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from mlops_assets.config import FeatureConfig, TrainingConfig

START = datetime(2024, 1, 1, tzinfo=UTC)


def features(**fields: object) -> FeatureConfig:
    given = {
        "source_table": "silver",
        "feature_table_name": "features",
        "primary_keys": ["id"],
        "features": [],
        "timestamp_column": "time",
    }
    return FeatureConfig.model_validate({**given, **fields})


def training(columns: list[str], **fields: object) -> TrainingConfig:
    given = {
        "model_type": "classification",
        "target_column": "label",
        "feature_columns": columns,
        "experiment_name": "tests",
        "registry_model_name": "model",
        "hyperparameters": {},
    }
    return TrainingConfig.model_validate({**given, **fields})


def frame(values: Any, label: Any) -> pl.DataFrame:
    """Rows with keys, an hour apart, of features `x0`, `x1`, … and a label."""
    columns = {f"x{number}": column for number, column in enumerate(np.asarray(values, dtype=float).T)}
    times = [START + timedelta(hours=number) for number in range(len(label))]
    return pl.DataFrame({"id": range(len(label)), "time": times, **columns, "label": label})


def two_clouds(rows: int = 600, seed: int = 0, gap: float = 1.0) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    label = random.random(rows) < 0.4
    return frame(random.normal(size=(rows, 3)) + gap * label[:, None], label)
