"""Transformers of scikit-learn that a document names: the numbers are theirs, and a wrong name is told."""

from typing import Any

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError
from sklearn import (
    datasets,
    decomposition,
    feature_selection,
    kernel_approximation,
    linear_model,
    pipeline,
    preprocessing,
)
from sklearn.feature_extraction import text

from mlops_assets.config import FeatureConfig
from mlops_assets.features.errors import FeatureError
from mlops_assets.features.frames import model_frame
from mlops_assets.features.named import check_transformers
from mlops_assets.training.fit import Fitted, fit
from mlops_assets_tests.model_files import through_a_file
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
        (preprocessing.MinMaxScaler, {"feature_range": [0, 2]}),
    ],
)
def test_a_named_transformer_gives_its_own_numbers_in_training_and_from_a_model_file(
    transformer: type[Any], parameters: dict[str, Any]
) -> None:
    fitted = learned(".".join([*transformer.__module__.split(".")[:2], transformer.__name__]), **parameters)
    train = fitted.rows[fitted.splits.rows["train"]]
    made = {name: tuple(each) if isinstance(each, list) else each for name, each in parameters.items()}
    by_hand = pipeline.make_pipeline(transformer(**made), linear_model.LogisticRegression(random_state=0))
    by_hand.fit(train.select("x0").to_numpy(), train["label"].to_numpy())
    expected = by_hand.predict_proba(ROWS.select("x0").to_numpy())
    table = model_frame(ROWS, fitted.inputs)
    np.testing.assert_allclose(fitted.pipeline.predict_proba(table), expected, rtol=0, atol=1e-12)
    kept = through_a_file(fitted.pipeline)
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
        ("sklearn.preprocessing.LabelEncoder", {}, "LabelEncoder takes labels, mappings or pictures, no column"),
        ("sklearn.feature_extraction.DictVectorizer", {}, "DictVectorizer takes labels, mappings or pictures"),
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


@pytest.mark.parametrize(
    ("vectorizer", "parameters"),
    [
        (text.TfidfVectorizer, {"ngram_range": [1, 2]}),
        (text.CountVectorizer, {"stop_words": ["the"]}),
        (text.HashingVectorizer, {"n_features": 8}),
    ],
)
def test_a_named_vectorizer_reads_one_column_of_texts(vectorizer: type[Any], parameters: dict[str, Any]) -> None:
    said = pl.Series(["the red fox", "a red hen", None, "the grey hen"] * 50)
    rows = ROWS.head(200).with_columns(said=said)
    spec = {"type": "sklearn", "transformer": f"sklearn.feature_extraction.text.{vectorizer.__name__}"}
    document = features(feature_transformations={"said": {**spec, "parameters": parameters}})
    fitted = fit(training(["said"], algorithm="logistic_regression"), document, rows)
    made = {name: tuple(each) if name == "ngram_range" else each for name, each in parameters.items()}
    texts = fitted.rows["said"].fill_null("").to_numpy()
    expected = vectorizer(**made).fit(texts[fitted.splits.rows["train"]]).transform(texts).toarray()
    np.testing.assert_allclose(fitted.pipeline[:-1].transform(model_frame(fitted.rows, ["said"])), expected)
    kept = through_a_file(fitted.pipeline)
    table = model_frame(rows, ["said"])
    np.testing.assert_array_equal(kept.predict(table), fitted.pipeline.predict(table))


def test_declared_numbers_keep_their_order() -> None:
    grade = pl.Series([2, 1, 3, None] * 50)
    document = features(feature_transformations={"grade": {"type": "ordinal_encode", "categories": [3, 1, 2]}})
    fitted = fit(training(["grade"]), document, ROWS.head(200).with_columns(grade=grade))
    numbers = fitted.pipeline[:-1].transform(model_frame(fitted.rows.head(4), ["grade"]))
    assert numbers[:, 0].tolist() == [2.0, 1.0, 0.0, -1.0]


@pytest.mark.parametrize("kind", ["one_hot_encode", "ordinal_encode"])
def test_a_category_that_is_declared_twice_is_refused(kind: str) -> None:
    with pytest.raises(ValidationError, match="'a' is among them twice"):
        features(feature_transformations={"grade": {"type": kind, "categories": ["a", "b", "a"]}})
