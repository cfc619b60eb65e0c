from pathlib import Path

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

from mlops_assets.features.frames import model_frame
from mlops_assets.training.errors import TrainingError
from mlops_assets.training.estimators import estimator
from mlops_assets.training.fit import fit, refit
from mlops_assets.training.learn import CALIBRATION_FOLDS, calibration_folds
from mlops_assets.trusted_types import load_model_file
from mlops_assets_tests.training.documents import features, training, two_clouds

SPLITS: list[dict[str, object]] = [{}, {"stratify": True}, {"split_method": "time"}]


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_a_model_that_is_too_sure_is_put_right(method: str) -> None:
    config = training(["x0", "x1", "x2"], algorithm="naive_bayes", metrics=["expected_calibration_error"])
    # The same column three times makes naive Bayes far too sure.
    rows = two_clouds(2_000).with_columns(x1="x0", x2="x0")
    name = "test_expected_calibration_error"
    plain = fit(config, features(), rows).metrics
    calibrated = fit(config.model_copy(update={"calibration": method}), features(), rows).metrics
    assert calibrated[name] < 0.5 * plain[name]
    assert calibrated["test_roc_auc"] == pytest.approx(plain["test_roc_auc"], abs=0.01)


def test_it_equals_scikit_learns_own_on_the_same_folds_of_the_training_rows() -> None:
    config = training(
        ["x0", "x1"], algorithm="random_forest", hyperparameters={"n_estimators": 10}, calibration="sigmoid"
    )
    fitted = fit(config, features(), two_clouds())
    train = fitted.splits.rows["train"]
    table = fitted.rows.select("x0", "x1").to_numpy()
    forest = RandomForestClassifier(10, random_state=0)
    folds = calibration_folds(train, fitted.prepared)
    by_hand = CalibratedClassifierCV(forest, method="sigmoid", ensemble=False, cv=folds)
    by_hand.fit(table[train], fitted.rows["label"].to_numpy()[train])
    said = fitted.pipeline.predict_proba(model_frame(fitted.rows, fitted.inputs))
    np.testing.assert_array_equal(said, by_hand.predict_proba(table))
    assert fitted.pipeline[-1].cv == CALIBRATION_FOLDS


@pytest.mark.parametrize("fields", SPLITS)
def test_every_training_row_calibrates_once_and_no_other_row_does(fields: dict[str, object]) -> None:
    config = training(["x0"], algorithm="logistic_regression", calibration="sigmoid", **fields)
    prepared = fit(config, features(), two_clouds()).prepared
    train = prepared.splits.rows["train"]
    folds = calibration_folds(train, prepared)
    assert np.sort(np.concatenate([check for _, check in folds])).tolist() == list(range(len(train)))
    for learn, check in folds:
        assert sorted([*learn, *check]) == list(range(len(train)))


def test_days_are_calibrated_whole_where_rows_are_split_by_time() -> None:
    rows = two_clouds().with_columns(time=pl.col("time").dt.truncate("1d"))
    config = training(["x0"], algorithm="logistic_regression", calibration="sigmoid", split_method="time")
    prepared = fit(config, features(), rows).prepared
    train = prepared.splits.rows["train"]
    for learn, check in calibration_folds(train, prepared):
        assert not set(prepared.rows["time"][train[learn]]) & set(prepared.rows["time"][train[check]])


def test_native_categories_are_calibrated_refitted_and_loaded_from_a_file(tmp_path: Path) -> None:
    import skops.io

    rows = two_clouds().with_columns(city=pl.Series(["Oslo", "Bergen", None] * 200))
    config = training(
        ["x0", "city"], algorithm="hist_gradient_boosting", hyperparameters={"max_iter": 5}, calibration="isotonic"
    )
    again = refit(fit(config, features(), rows))
    skops.io.dump(again.pipeline, tmp_path / "model.skops")
    table = model_frame(again.rows, again.inputs)
    loaded = load_model_file(tmp_path / "model.skops")
    np.testing.assert_array_equal(loaded.predict_proba(table), again.pipeline.predict_proba(table))


def test_weights_reach_the_calibrated_estimator_and_are_refused_where_it_takes_none() -> None:
    rows = two_clouds().with_columns(weight=pl.when(pl.col("label")).then(50.0).otherwise(1.0))
    config = training(["x0"], algorithm="logistic_regression", calibration="sigmoid", sample_weight_column="weight")
    heavy = fit(config, features(), rows).pipeline.predict_proba(model_frame(rows, ["x0"]))[:, 1]
    assert heavy.mean() > 0.9
    near = config.model_copy(update={"algorithm": "k_nearest_neighbors"})
    with pytest.raises(TrainingError, match="KNeighborsClassifier takes no weights"):
        fit(near, features(), rows)


def test_only_a_classifier_has_probabilities() -> None:
    with pytest.raises(ValidationError, match="regression has no probabilities"):
        training(["x0"], model_type="regression", calibration="sigmoid")


@pytest.mark.parametrize("algorithm", ["hist_gradient_boosting", "gradient_boosting", "sgd", "mlp"])
def test_training_stops_early_where_the_estimator_can(algorithm: str) -> None:
    most = "n_estimators" if algorithm == "gradient_boosting" else "max_iter"
    config = training(
        ["x0", "x1"], algorithm=algorithm, early_stopping=True, hyperparameters={most: 400}, metrics=["accuracy"]
    )
    final = fit(config, features(), two_clouds()).pipeline[-1]
    assert (final.n_estimators_ if most == "n_estimators" else final.n_iter_) < 400


@pytest.mark.parametrize("weighted", [False, True])
def test_the_last_rows_of_a_split_by_time_say_when_to_stop(*, weighted: bool) -> None:
    rows = two_clouds(900).with_columns(weight=pl.col("x0").abs(), time=pl.col("time").dt.truncate("1d"))
    weights = {"sample_weight_column": "weight"} if weighted else {}
    config = training(
        ["x0", "x1"], algorithm="hist_gradient_boosting", split_method="time", early_stopping=True, **weights
    )
    fitted = fit(config, features(), rows)
    train = fitted.rows[fitted.splits.rows["train"]]
    # The last tenth begins inside a day, which is set aside whole.
    first_late = train["time"].sort()[round(train.height * 0.9)]
    early, late = train.filter(pl.col("time") < first_late), train.filter(pl.col("time") >= first_late)
    by_hand = HistGradientBoostingClassifier(random_state=0, early_stopping=True)
    given = {"X_val": late.select("x0", "x1").to_numpy(), "y_val": late["label"].to_numpy()}
    if weighted:
        given |= {"sample_weight": early["weight"].to_numpy(), "sample_weight_val": late["weight"].to_numpy()}
    by_hand.fit(early.select("x0", "x1").to_numpy(), early["label"].to_numpy(), **given)
    assert fitted.pipeline[-1].n_iter_ == by_hand.n_iter_ < 100
    said = fitted.pipeline.predict_proba(model_frame(fitted.rows, fitted.inputs))
    np.testing.assert_allclose(said, by_hand.predict_proba(fitted.rows.select("x0", "x1").to_numpy()), atol=1e-12)


def test_early_stopping_is_refused_where_the_estimator_cannot() -> None:
    config = training(["x0"], algorithm="random_forest", early_stopping=True)
    with pytest.raises(TrainingError, match="RandomForestClassifier cannot stop early; hist_gradient_boosting"):
        estimator(config)
