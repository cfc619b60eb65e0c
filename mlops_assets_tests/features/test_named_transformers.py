"""Transformers of scikit-learn that a document names: the numbers are theirs, and a wrong name is told."""

from typing import Any

import numpy as np
import polars as pl
import pytest
import skops.io
from sklearn import (
    datasets,
    decomposition,
    feature_selection,
    kernel_approximation,
    linear_model,
    pipeline,
    preprocessing,
)

from mlops_assets.config import FeatureConfig
from mlops_assets.features.errors import FeatureError
from mlops_assets.features.frames import model_frame
from mlops_assets.features.steps import check_transformers
from mlops_assets.training.fit import Fitted, fit
from mlops_assets.trusted_types import trusted_types_of
from mlops_assets_tests.training.documents import features, frame, training

ROWS = frame(*datasets.load_breast_cancer(return_X_y=True))


def document(transformer: str, parameters: dict[str, Any]) -> FeatureConfig:
    declared = {"type": "sklearn", "transformer": transformer, "parameters": parameters}
    return features(feature_transformations={"x0": declared})


def learned(transformer: str, **parameters: Any) -> Fitted:
    config = training(["x0"], algorithm="logistic_regression")
    return fit(config, document(transformer, parameters), ROWS)


@pytest.mark.parametrize(
    ("transformer", "parameters"),
    [
        (preprocessing.SplineTransformer, {"n_knots": 4, "degree": 2}),
        (preprocessing.KBinsDiscretizer, {"n_bins": 6, "encode": "onehot-dense", "quantile_method": "linear"}),
        (preprocessing.KBinsDiscretizer, {"n_bins": 6}),
        (preprocessing.PolynomialFeatures, {"degree": 3}),
        (preprocessing.QuantileTransformer, {"n_quantiles": 50, "output_distribution": "normal"}),
        (preprocessing.Binarizer, {"threshold": 14.0}),
        (kernel_approximation.RBFSampler, {"n_components": 5, "random_state": 3}),
        (decomposition.PCA, {"n_components": 1}),
        (feature_selection.SelectKBest, {"k": 1}),
    ],
)
def test_a_named_transformer_gives_its_own_numbers_in_training_and_from_a_model_file(
    transformer: type[Any], parameters: dict[str, Any]
) -> None:
    fitted = learned(".".join([*transformer.__module__.split(".")[:2], transformer.__name__]), **parameters)
    train = fitted.rows[fitted.splits.rows["train"]]
    by_hand = pipeline.make_pipeline(transformer(**parameters), linear_model.LogisticRegression(random_state=0))
    by_hand.fit(train.select("x0").to_numpy(), train["label"].to_numpy())
    expected = by_hand.predict_proba(ROWS.select("x0").to_numpy())
    table = model_frame(ROWS, fitted.inputs)
    np.testing.assert_allclose(fitted.pipeline.predict_proba(table), expected, rtol=0, atol=1e-12)
    kept = skops.io.loads(skops.io.dumps(fitted.pipeline), trusted=trusted_types_of(fitted.pipeline))
    np.testing.assert_array_equal(kept.predict_proba(table), fitted.pipeline.predict_proba(table))


@pytest.mark.parametrize(
    ("transformer", "parameters", "message"),
    [
        ("sklearn.preprocessing.SplineTransfomer", {}, r"did you mean 'SplineTransformer'\?"),
        ("sklearn.preprocesing.SplineTransformer", {}, "there is no module 'sklearn.preprocesing'"),
        ("sklearn.linear_model.LogisticRegression", {}, "no transformer"),
        ("sklearn.preprocessing.SplineTransformer", {"knot": 4}, r"unknown parameter 'knot'; did you mean 'knots'\?"),
        (
            "sklearn.preprocessing.SplineTransformer",
            {"n_knots": "many"},
            r"transformer: .*'n_knots' parameter .*'many'",
        ),
        ("sklearn.preprocessing.KBinsDiscretizer", {"n_bins": 0}, r"transformer: .*'n_bins' parameter"),
        ("sklearn.feature_selection.SelectFromModel", {}, "'SelectFromModel' needs estimator in its parameters"),
        (
            "sklearn.impute.IterativeImputer",
            {},
            "scikit-learn does not give 'IterativeImputer': IterativeImputer is exp",
        ),
    ],
)
def test_a_wrong_name_or_argument_is_told_before_anything_is_fitted(
    transformer: str, parameters: dict[str, Any], message: str
) -> None:
    with pytest.raises(FeatureError, match=message) as told:
        learned(transformer, **parameters)
    assert "feature_transformations.x0.transformer" in str(told.value)
    assert list(check_transformers(document(transformer, parameters))) == [str(told.value)]


@pytest.mark.parametrize("transformer", ["sklearn.kernel_approximation.RBFSampler", "sklearn.cluster.KMeans"])
def test_a_transformer_that_draws_at_random_draws_by_the_documents_seed(transformer: str) -> None:
    assert learned(transformer).metrics == learned(transformer, random_state=0).metrics


@pytest.mark.parametrize("kind", ["one_hot_encode", "ordinal_encode"])
@pytest.mark.parametrize(("categories", "shown"), [([1, 2], "1, 2"), (["A", "B", "C"], "'A', 'B', 'C'")])
def test_categories_that_no_row_has_are_refused(kind: str, categories: list[Any], shown: str) -> None:
    rows = ROWS.head(100).with_columns(grade=pl.Series(["1", "2", "3", None] * 25))
    given = {"grade": [{"type": "impute", "strategy": "most_frequent"}, {"type": kind, "categories": categories}]}
    with pytest.raises(
        FeatureError,
        match=rf"feature_transformations.grade\[1\].categories: none of {shown} is in the column, which is String and "
        "holds '1', '2', '3'",
    ):
        fit(training(["grade"]), features(feature_transformations=given), rows)


def test_one_output_of_a_sparse_transformer_may_be_named() -> None:
    fitted = fit(
        training(["x0_2.0"], algorithm="logistic_regression"),
        document("sklearn.preprocessing.KBinsDiscretizer", {"quantile_method": "linear"}),
        ROWS,
    )
    assert set(fitted.pipeline[:-1].transform(model_frame(ROWS, fitted.inputs))[:, 0]) == {0.0, 1.0}
