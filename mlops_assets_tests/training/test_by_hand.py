"""On datasets of scikit-learn: every metric a document may name is that of a hand-written pipeline."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn import datasets, ensemble, linear_model, metrics, pipeline, preprocessing

from mlops_assets.config.metric_names import CLASSIFICATION_METRICS, REGRESSION_METRICS
from mlops_assets.training.fit import Fitted, fit
from mlops_assets_tests.training.documents import features, frame, training

Parts = Mapping[str, tuple[Any, Any]]


def parts(fitted: Fitted) -> Parts:
    """The columns and labels of each split, as the document split them."""
    found = {}
    for name, numbers in fitted.splits.rows.items():
        rows = fitted.rows[numbers]
        found[name] = (rows.select(pl.col("^x\\d+$")).to_numpy(), rows["label"].to_numpy())
    return found


def columns(rows: pl.DataFrame) -> list[str]:
    return [name for name in rows.columns if name.startswith("x")]


def averaged(function: Callable[..., float], truth: Any, said: Any) -> dict[str, float]:
    plain = "binary" if len(set(truth)) == 2 else "macro"
    return {
        kind: function(truth, said, average=average)
        for kind, average in {"": plain, "_macro": "macro", "_micro": "micro", "_weighted": "weighted"}.items()
    }


def of_labels(truth: Any, said: Any) -> dict[str, float]:
    functions = {
        "precision": metrics.precision_score,
        "recall": metrics.recall_score,
        "f1": metrics.f1_score,
        "jaccard": metrics.jaccard_score,
    }
    found = {
        f"{name}{kind}": value
        for name, each in functions.items()
        for kind, value in averaged(each, truth, said).items()
    }
    fbeta = metrics.fbeta_score(truth, said, beta=2, average="binary" if len(set(truth)) == 2 else "macro")
    return {
        **found,
        "f1_score": found["f1"],
        "fbeta_score": fbeta,
        "accuracy": metrics.accuracy_score(truth, said),
        "balanced_accuracy": metrics.balanced_accuracy_score(truth, said),
        "matthews_corrcoef": metrics.matthews_corrcoef(truth, said),
        "cohen_kappa": metrics.cohen_kappa_score(truth, said),
        "hamming_loss": metrics.hamming_loss(truth, said),
        "zero_one_loss": metrics.zero_one_loss(truth, said),
    }


def calibration_error(right: Any, sure: Any) -> float:
    """Naeini et al. 2015, with ten bins of equal width."""
    bins = np.minimum((sure * 10).astype(int), 9)
    each = [abs(right[bins == b].mean() - sure[bins == b].mean()) * (bins == b).mean() for b in np.unique(bins)]
    return float(sum(each))


def of_two_classes(truth: Any, probability: Any, labels: Any) -> dict[str, float]:
    true, false = labels == 1, labels == 0
    recall, specificity = (
        (true & (truth == 1)).sum() / (truth == 1).sum(),
        (false & (truth == 0)).sum() / (truth == 0).sum(),
    )
    precision, found, _ = metrics.precision_recall_curve(truth, probability)
    area = metrics.roc_auc_score(truth, probability)
    brier = metrics.brier_score_loss(truth, probability)
    return {
        **of_labels(truth, labels),
        "specificity": specificity,
        "positive_likelihood_ratio": recall / (1 - specificity),
        **dict.fromkeys(
            ("roc_auc", "roc_auc_ovo", "roc_auc_ovr", "roc_auc_ovo_weighted", "roc_auc_ovr_weighted"), area
        ),
        "average_precision": metrics.average_precision_score(truth, probability),
        "pr_auc": metrics.auc(found, precision),
        "hinge_loss": metrics.hinge_loss(truth, probability),
        "log_loss": metrics.log_loss(truth, probability),
        **dict.fromkeys(("brier_score", "brier_score_loss"), brier),
        "top_k_accuracy": metrics.top_k_accuracy_score(truth, probability),
        "d2_brier_score": metrics.d2_brier_score(truth, probability),
        "d2_log_loss_score": metrics.d2_log_loss_score(truth, probability),
        "expected_calibration_error": calibration_error(truth == 1, probability),
    }


def test_breast_cancer_has_every_metric_of_two_classes_as_by_hand() -> None:
    rows = frame(*datasets.load_breast_cancer(return_X_y=True))
    scaled = {column: {"type": "scaling"} for column in columns(rows)}
    config = training(
        columns(rows), algorithm="logistic_regression", stratify=True, metrics=list(CLASSIFICATION_METRICS)
    )
    fitted = fit(config, features(feature_transformations=scaled), rows)
    given = parts(fitted)
    by_hand = pipeline.make_pipeline(preprocessing.StandardScaler(), linear_model.LogisticRegression(random_state=0))
    by_hand.fit(*given["train"])
    for name, (table, truth) in given.items():
        expected = of_two_classes(truth, by_hand.predict_proba(table)[:, 1], by_hand.predict(table))
        compared(fitted, name, expected, CLASSIFICATION_METRICS)


def test_wine_has_every_metric_of_three_classes_as_by_hand() -> None:
    rows = frame(*datasets.load_wine(return_X_y=True))
    config = training(
        columns(rows),
        hyperparameters={"n_estimators": 7, "max_depth": 2},
        random_seed=4,
        metrics=list(CLASSIFICATION_METRICS),
    )
    fitted = fit(config, features(), rows)
    given = parts(fitted)
    by_hand = ensemble.RandomForestClassifier(7, max_depth=2, random_state=4).fit(*given["train"])
    for name, (table, truth) in given.items():
        said, labels = by_hand.predict_proba(table), by_hand.predict(table)
        area = {kind: metrics.roc_auc_score(truth, said, multi_class=kind) for kind in ("ovr", "ovo")}
        weighed = {
            kind: metrics.roc_auc_score(truth, said, multi_class=kind, average="weighted") for kind in ("ovr", "ovo")
        }
        expected = {
            **of_labels(truth, labels),
            "roc_auc": area["ovr"],
            **{f"roc_auc_{kind}": value for kind, value in area.items()},
            **{f"roc_auc_{kind}_weighted": value for kind, value in weighed.items()},
            "average_precision": metrics.average_precision_score(truth, said),
            "hinge_loss": metrics.hinge_loss(truth, said),
            "log_loss": metrics.log_loss(truth, said),
            **dict.fromkeys(("brier_score", "brier_score_loss"), metrics.brier_score_loss(truth, said)),
            "top_k_accuracy": metrics.top_k_accuracy_score(truth, said),
            "d2_brier_score": metrics.d2_brier_score(truth, said),
            "d2_log_loss_score": metrics.d2_log_loss_score(truth, said),
            "expected_calibration_error": calibration_error(labels == truth, said.max(axis=1)),
        }
        compared(fitted, name, expected, CLASSIFICATION_METRICS)


def test_diabetes_has_every_metric_of_regression_as_by_hand() -> None:
    rows = frame(*datasets.load_diabetes(return_X_y=True))
    config = training(
        columns(rows),
        model_type="regression",
        algorithm="gradient_boosting",
        split_method="time",
        random_seed=2,
        metrics=list(REGRESSION_METRICS),
    )
    fitted = fit(config, features(), rows)
    given = parts(fitted)
    by_hand = ensemble.GradientBoostingRegressor(random_state=2).fit(*given["train"])
    short = {
        "rmse": "root_mean_squared_error",
        "mse": "mean_squared_error",
        "mae": "mean_absolute_error",
        "mape": "mean_absolute_percentage_error",
        "r2": "r2_score",
        "explained_variance": "explained_variance_score",
    }
    for name, (table, truth) in given.items():
        said = by_hand.predict(table)
        expected = {each: getattr(metrics, short.get(each, each))(truth, said) for each in REGRESSION_METRICS}
        compared(fitted, name, expected, REGRESSION_METRICS)


def compared(fitted: Fitted, part: str, expected: Mapping[str, float], names: tuple[str, ...]) -> None:
    """Every metric that is defined is there and the same; what is not is null on both sides."""
    measured = fitted.evaluations[part].values
    undefined = {name for name in names if measured[name] is None}
    for name in set(names) - undefined:
        assert measured[name] == pytest.approx(expected[name], abs=1e-9), (part, name)
    assert all(not np.isfinite(expected.get(name, np.nan)) for name in undefined), (part, undefined)
