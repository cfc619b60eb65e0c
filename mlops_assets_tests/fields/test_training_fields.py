"""Each field of the reference's training document, changed, has its documented effect."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from mlops_assets.registry import ModelRegistry
from mlops_assets.training.candidate import train
from mlops_assets.training.fit import Fitted, fit
from mlops_assets.training.lineage import lineage_of
from mlops_assets_tests.training.documents import features, training, two_clouds

field = pytest.mark.field
ROWS = two_clouds().with_columns(other=pl.col("x1") > 0.3, weight=pl.when("label").then(50.0).otherwise(1.0))


def fitted(columns: list[str] | None = None, **fields: Any) -> Fitted:
    document = training(columns or ["x0", "x1"], **{"algorithm": "logistic_regression", **fields})
    return fit(document, features(), ROWS)


@field("training.model_type", "What is learned: classes with probabilities, numbers, groups or outliers.")
@pytest.mark.parametrize(
    ("model_type", "algorithm", "target", "method"),
    [
        ("classification", "logistic_regression", "label", "predict_proba"),
        ("regression", "ridge", "x2", "predict"),
        ("clustering", "kmeans", "label", "predict"),
        ("anomaly_detection", "isolation_forest", "label", "score_samples"),
    ],
)
def test_the_model_type_says_what_is_learned(model_type: str, algorithm: str, target: str, method: str) -> None:
    made = fitted(model_type=model_type, algorithm=algorithm, target_column=target)
    said = getattr(made.pipeline, method)(ROWS.select("x0", "x1").to_pandas())
    assert said.shape == ((600, 2) if model_type == "classification" else (600,))
    # A regression says as many numbers as there are rows; the others know a few classes.
    assert (np.unique(made.pipeline.predict(ROWS.select("x0", "x1").to_pandas())).size > 500) == (
        model_type == "regression"
    )


@field("training.target_column", "The column that is predicted.")
def test_the_target_is_what_is_predicted() -> None:
    made = {name: fitted(target_column=name, metrics=["accuracy"]) for name in ("label", "other")}
    assert made["other"].metrics["test_accuracy"] > 0.95 > made["label"].metrics["test_accuracy"]
    assert made["other"].pipeline[-1].coef_[0, 1] > 5 * abs(made["other"].pipeline[-1].coef_[0, 0])


@field("training.feature_columns", "The columns that the model is given, and no others.")
def test_the_model_is_given_its_feature_columns() -> None:
    assert fitted(["x2"]).inputs == ("x2",)
    assert fitted(["x0", "x2"]).pipeline[-1].coef_.shape == (1, 2)


@field("training.hyperparameters", "Reach the estimator.")
@pytest.mark.parametrize("strength", [1e-6, 1.0])
def test_hyperparameters_reach_the_estimator(strength: float) -> None:
    slope = abs(fitted(hyperparameters={"C": strength}).pipeline[-1].coef_).max()
    assert (slope < 0.01) == (strength < 1)


@field("training.split_ratios", "The shares of the rows that train, validate and test.")
@pytest.mark.parametrize("ratios", [[0.7, 0.15, 0.15], [0.5, 0.2, 0.3], [0.6, 0.4]])
def test_rows_are_split_by_the_ratios(ratios: list[float]) -> None:
    parts = fitted(split_ratios=ratios, stratify=True).splits.rows
    found = [len(parts[name]) / 600 for name in ("train", "validation", "test")]
    assert found == pytest.approx([*ratios[:-1], *([0.0] if len(ratios) == 2 else []), ratios[-1]], abs=0.01)


@field("training.metrics", "These are measured on every split.")
def test_the_metrics_are_measured() -> None:
    asked = fitted(metrics=["f1_score", "log_loss"]).metrics
    assert {"test_f1_score", "validation_f1_score", "train_log_loss"} <= set(asked)
    assert "test_f1_score" not in fitted(metrics=["log_loss"]).metrics


@field("training.cross_validation_folds", "So many folds of the training rows are measured too; 0 is none.")
@pytest.mark.parametrize("count", [0, 2, 5])
def test_each_fold_is_measured(count: int) -> None:
    made = fitted(cross_validation_folds=count, metrics=["accuracy"])
    assert len(made.folds) == sum(name.endswith("_accuracy") and name.startswith("fold_") for name in made.metrics)
    assert len(made.folds) == count


@field("training.stratify", "Every split has the classes in the same shares.")
def test_stratified_splits_have_the_same_shares() -> None:
    def spread(stratify: bool) -> float:
        made = fitted(stratify=stratify)
        label = made.rows["label"].to_numpy()
        return float(np.ptp([label[part].mean() for part in made.splits.rows.values()]))

    assert spread(stratify=True) < 0.01 < spread(stratify=False)


@field("training.sample_weight_column", "Rows count as much as it says.")
def test_weights_move_the_model_to_the_heavy_rows() -> None:
    plain, weighted = fitted(), fitted(sample_weight_column="weight")
    assert weighted.pipeline[-1].intercept_[0] > plain.pipeline[-1].intercept_[0] + 1


@field("training.experiment_name", "The MLflow experiment that the run is in.")
@field("training.run_name", "The MLflow run's name.")
@field("training.registry_model_name", "The name that the model's versions are registered under.")
def test_mlflow_knows_experiment_run_and_model_by_their_names(tmp_path: Path) -> None:
    registry = ModelRegistry.below(tmp_path)
    for names in (("prices", "first", "price"), ("churn", "second", "leaver")):
        document = training(["x0"], algorithm="logistic_regression").model_copy(
            update=dict(zip(("experiment_name", "run_name", "registry_model_name"), names, strict=True))
        )
        lineage = lineage_of(document, features(), {})
        version = train(document, features(), ROWS, registry, lineage, cause={}).version
        run = registry.client.get_run(version.run_id)
        experiment = registry.client.get_experiment(run.info.experiment_id)
        assert (experiment.name, run.info.run_name, version.name) == names
        assert [each.version for each in registry.versions(names[2])] == ["1"]
