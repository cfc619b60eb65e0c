from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn import ensemble, linear_model
from sklearn.utils import class_weight

from mlops_assets.features.errors import FeatureError
from mlops_assets.training.errors import TrainingError
from mlops_assets.training.fit import Fitted, fit, refit
from mlops_assets_tests.training.documents import features, training, two_clouds


def parts(fitted: Fitted, name: str) -> tuple[Any, Any]:
    rows = fitted.rows[fitted.splits.rows[name]]
    return rows.select(pl.col("^x\\d+$")).to_numpy(), rows["label"].to_numpy()


def columns(rows: pl.DataFrame) -> list[str]:
    return [name for name in rows.columns if name.startswith("x")]


def test_scaling_statistics_are_those_of_the_training_rows_alone() -> None:
    rows = two_clouds()
    config = training(["x0"], algorithm="logistic_regression")
    fitted = fit(config, features(feature_transformations={"x0": {"type": "scaling"}}), rows)
    scaler = fitted.pipeline[0].named_transformers_["columns_0"][0]
    train = fitted.rows["x0"].to_numpy()[fitted.splits.rows["train"]]
    assert scaler.mean_[0] == pytest.approx(train.mean(), abs=1e-12)
    assert scaler.var_[0] == pytest.approx(train.var(), abs=1e-12)
    assert scaler.mean_[0] != pytest.approx(rows["x0"].to_numpy().mean(), abs=1e-6)


def test_rows_without_a_label_are_dropped_and_counted() -> None:
    rows = two_clouds(300).with_columns(label=pl.when(pl.col("id") >= 40).then("label"))
    fitted = fit(training(["x0", "x1"], algorithm="logistic_regression"), features(), rows)
    assert fitted.dropped == 40
    assert fitted.rows.height == 260


def test_native_categories_equal_scikit_learns_own() -> None:
    random = np.random.default_rng(0)
    rows = two_clouds(800).with_columns(city=pl.Series(random.choice(["a", "b", "c", None], 800).tolist()))
    rows = rows.with_columns(label=pl.col("label") ^ (pl.col("city") == "b").fill_null(value=False))
    fitted = fit(training(["x0", "city"], algorithm="hist_gradient_boosting"), features(), rows)
    train = fitted.rows[fitted.splits.rows["train"]].to_pandas()
    by_hand = ensemble.HistGradientBoostingClassifier(random_state=0, categorical_features="from_dtype")
    by_hand.fit(train[["city", "x0"]].astype({"city": "category"}), train["label"])
    test = fitted.rows[fitted.splits.rows["test"]].to_pandas()
    said = by_hand.predict_proba(test[["city", "x0"]].astype({"city": "category"}))[:, 1]
    np.testing.assert_array_equal(fitted.pipeline.predict_proba(test)[:, 1], said)


def test_the_same_rows_in_another_order_give_the_same_model_to_the_bit() -> None:
    rows = two_clouds()
    config = training(["x0", "x1", "x2"], hyperparameters={"n_estimators": 10})
    one = fit(config, features(), rows)
    other = fit(config, features(), rows.sample(fraction=1.0, shuffle=True, seed=3))
    assert one.metrics == other.metrics


def test_weights_reach_the_estimator() -> None:
    rows = two_clouds().with_columns(weight=pl.when(pl.col("label")).then(50.0).otherwise(1.0))
    config = training(["x0"], algorithm="logistic_regression")
    plain = fit(config, features(), rows)
    weighted = fit(config.model_copy(update={"sample_weight_column": "weight"}), features(), rows)
    assert weighted.pipeline[-1].intercept_[0] > plain.pipeline[-1].intercept_[0] + 1


def test_balanced_classes_weigh_the_same_beside_the_rows_own_weights() -> None:
    rows = two_clouds(400).with_columns(w=pl.col("id") % 3 + 1.0)
    config = training(columns(rows), algorithm="logistic_regression", sample_weight_column="w")
    found = fit(config.model_copy(update={"class_balance": "balanced"}), features(), rows)
    table, label = parts(found, "train")
    balance = class_weight.compute_sample_weight("balanced", label)
    weights = rows["w"].to_numpy()[found.splits.rows["train"]]
    by_hand = linear_model.LogisticRegression(random_state=0).fit(table, label, sample_weight=balance * weights)
    assert np.allclose(found.pipeline[-1].coef_, by_hand.coef_, atol=1e-12)
    assert not np.allclose(found.pipeline[-1].coef_, fit(config, features(), rows).pipeline[-1].coef_, atol=1e-3)
    with pytest.raises(TrainingError, match="class_balance: KNeighborsClassifier takes no weights"):
        fit(training(["x0"], algorithm="k_nearest_neighbors", class_balance="balanced"), features(), rows)


def test_each_fold_has_its_metrics_and_the_window_keeps_the_newest_rows() -> None:
    config = training(
        ["x0"],
        algorithm="logistic_regression",
        cross_validation_folds=3,
        training_window="10d",
        stratify=True,
    )
    fitted = fit(config, features(), two_clouds())
    assert fitted.rows.height == 241
    assert len([name for name in fitted.metrics if name.startswith("fold_") and name.endswith("roc_auc")]) == 3


def test_a_refit_learns_from_every_row_and_keeps_what_was_measured() -> None:
    config = training(["x0", "x1"], algorithm="logistic_regression", split_method="time")
    fitted = fit(config, features(), two_clouds())
    again = refit(fitted)
    assert again.metrics == fitted.metrics
    assert again.trained_through == fitted.rows["time"].max()
    assert fitted.trained_through < again.trained_through
    assert not np.array_equal(again.pipeline[-1].coef_, fitted.pipeline[-1].coef_)


@pytest.mark.parametrize("model_type", ["clustering", "anomaly_detection"])
def test_models_without_labels_are_fitted_and_measured(model_type: str) -> None:
    rows = two_clouds(400, gap=6.0)
    hyperparameters = {"n_clusters": 2} if model_type == "clustering" else {"n_estimators": 20}
    config = training(["x0", "x1"], model_type=model_type, hyperparameters=hyperparameters)
    fitted = fit(config, features(), rows)
    name = "test_silhouette" if model_type == "clustering" else "test_roc_auc"
    assert fitted.metrics[name] > 0.4


def test_an_undefined_metric_is_null_with_its_reason() -> None:
    rows = two_clouds(400).with_columns(label=pl.col("label") & (pl.col("id") < 200))
    fitted = fit(training(["x0"], algorithm="logistic_regression", split_method="time"), features(), rows)
    test = fitted.evaluations["test"]
    assert test.values["roc_auc"] is None
    assert "class" in test.reasons["roc_auc"]
    assert "test_roc_auc" not in fitted.metrics


FIRST = pl.col("id") == 0
WEIGHTED = two_clouds(200).with_columns(
    nan=pl.when(FIRST).then(float("nan")).otherwise(1.0),
    endless=pl.when(FIRST).then(float("inf")).otherwise(1.0),
    none=pl.when(~FIRST).then(1.0),
    zero=pl.lit(0),
    text=pl.lit("1"),
    half=pl.lit("0.5").cast(pl.Decimal(5, 1)),
)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"algorithm": "random_forrest"}, r"unknown 'random_forrest' .*did you mean 'random_forest'\?"),
        ({"hyperparameters": {"n_estimatorz": 3}}, r"has no 'n_estimatorz'; did you mean 'n_estimators'\?"),
        ({"metrics": ["rmse"]}, "'rmse' is no metric of classification"),
        ({"target_column": "lable"}, r"no column 'lable'; did you mean 'label'\?"),
        ({"target_column": "x1", "feature_columns": ["x0"]}, "holds fractions"),
        ({"sample_weight_column": "x0"}, r"'x0' holds -\d.* in \d+ of 200 rows; a weight is a finite number"),
        ({"target_column": "half"}, "'half' holds fractions"),
        ({"target_column": "endless", "model_type": "regression"}, "'endless' holds infinity"),
        ({"feature_columns": ["endless"]}, "cannot learn from the .* training rows: .*; endless contain infinity"),
        ({"algorithm": "svm", "hyperparameters": {"nu": 2}}, "has no 'nu'"),
        ({"sample_weight_column": "nan"}, "'nan' holds nan in 1 of 200 rows"),
        ({"sample_weight_column": "endless"}, "'endless' holds inf in 1 of 200 rows"),
        ({"sample_weight_column": "none"}, "'none' holds None in 1 of 200 rows"),
        ({"sample_weight_column": "zero"}, "'zero' holds nothing but 0"),
        ({"sample_weight_column": "text"}, "'text' is String; weights are numbers"),
    ],
)
def test_a_mistake_is_named_with_what_would_be_right(fields: dict[str, object], message: str) -> None:
    with pytest.raises((TrainingError, FeatureError), match=message):
        fit(training(["x0"], **{"feature_columns": ["x0"], **fields}), features(), WEIGHTED)


def test_a_fold_of_one_class_has_no_metrics_and_stops_nothing() -> None:
    rows = two_clouds(400).with_columns(label=pl.when(pl.col("id") < 100).then(False).otherwise("label"))
    config = training(["x0"], algorithm="logistic_regression", split_method="time", cross_validation_folds=4)
    fitted = fit(config, features(), rows)
    assert [fold.values["accuracy"] is None for fold in fitted.folds] == [True, False, False, False]
    assert fitted.folds[0].reasons["accuracy"] == "the fold's training rows hold one class"
    assert "fold_1_roc_auc" in fitted.metrics


@pytest.mark.parametrize("normal", [1, 0])
def test_an_anomaly_is_true_or_one_or_scikit_learns_minus_one(normal: int) -> None:
    rows = two_clouds(400, gap=6.0)
    config = training(["x0", "x1"], model_type="anomaly_detection")
    wanted = fit(config, features(), rows).metrics
    numbers = pl.when("label").then(1 - 2 * normal).otherwise(normal)
    assert fit(config, features(), rows.with_columns(label=numbers)).metrics == wanted
    with pytest.raises(TrainingError, match="target_column: 'label' holds 'bad', 'fine'; an anomaly is true, 1, or -1"):
        fit(config, features(), rows.with_columns(label=pl.Series(["bad", "fine"] * 200)))
