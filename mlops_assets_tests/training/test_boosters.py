"""XGBoost and LightGBM as `algorithm`: from texts and nulls to a model file that answers the same."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from mlops_assets.features.frames import model_frame
from mlops_assets.registry import ModelRegistry
from mlops_assets.training.candidate import train
from mlops_assets.training.fit import fit
from mlops_assets.training.lineage import lineage_of
from mlops_assets.trusted_types import load_model_file
from mlops_assets_tests.training.documents import features, training, two_clouds

COLUMNS = ["x0", "x1", "kind"]
ROWS = two_clouds(600).with_columns(
    x1=pl.when(pl.col("id") % 7 == 0).then(None).otherwise(pl.col("x1")),
    kind=pl.when(pl.col("x0") > 0).then(pl.lit("a")).otherwise(pl.lit("b")),
)


@pytest.mark.parametrize("model_type", ["classification", "regression"])
@pytest.mark.parametrize(("algorithm", "package"), [("xgboost", "xgboost"), ("lightgbm", "lightgbm")])
def test_a_registered_booster_answers_as_the_fitted_one_to_the_bit(
    tmp_path: Path, algorithm: str, package: str, model_type: str, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip(package)
    registry = ModelRegistry.below(tmp_path)
    config = training(COLUMNS, algorithm=algorithm, model_type=model_type, hyperparameters={"n_estimators": 20})
    done = train(config, features(), ROWS, registry, lineage_of(config, features(), {"/table": 1}), cause={})
    folder = registry.local_path(done.version)
    loaded, again = load_model_file(folder / "model.skops"), fit(config, features(), ROWS)
    table = model_frame(ROWS, again.inputs)
    assert np.array_equal(loaded.predict(table), again.pipeline.predict(table))
    assert done.metrics == again.metrics
    assert package in (folder / "requirements.txt").read_text()
    assert "[LightGBM]" not in capfd.readouterr().out


@pytest.mark.parametrize("labels", [["no", "yes"], [1, 2], [False, True], ["a", "b", "c"]])
@pytest.mark.parametrize("algorithm", ["xgboost", "lightgbm"])
def test_a_booster_takes_any_labels_and_answers_with_them(tmp_path: Path, algorithm: str, labels: list[Any]) -> None:
    pytest.importorskip(algorithm)
    registry = ModelRegistry.below(tmp_path)
    place = pl.col("x0").qcut(len(labels), labels=None).to_physical()
    rows = ROWS.with_columns(label=place.replace_strict(range(len(labels)), labels))
    calibration = "sigmoid" if labels == [1, 2] else "none"
    config = training(["x0"], algorithm=algorithm, hyperparameters={"n_estimators": 5}, calibration=calibration)
    done = train(config, features(), rows, registry, lineage_of(config, features(), {"/table": 1}), cause={})
    assert done.version.classes == labels
    assert done.metrics["test_accuracy"] > 0.9
    folder = registry.local_path(done.version)
    loaded = load_model_file(folder / "model.skops")
    assert set(loaded.predict(model_frame(rows, ["x0"])).tolist()) == set(labels)
    assert algorithm in (folder / "requirements.txt").read_text()
