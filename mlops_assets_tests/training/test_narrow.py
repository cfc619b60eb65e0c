"""Rows in the smallest exact types, and learning from one stretch of them after another."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_series_equal
from sklearn import linear_model, preprocessing

from mlops_assets.features.frames import model_frame
from mlops_assets.lake import delta
from mlops_assets.training import narrow as narrowing
from mlops_assets.training.errors import TrainingError
from mlops_assets.training.fit import fit
from mlops_assets.training.narrow import narrow, narrowed, widened
from mlops_assets.training.size import estimated_bytes, require_memory, training_rows
from mlops_assets_tests.training.documents import features, training, two_clouds

INTEGERS = st.integers(-(2**63), 2**63 - 1)
FRACTIONS = st.floats() | st.floats(width=32)


@given(st.lists(st.none() | INTEGERS) | st.lists(st.none() | FRACTIONS) | st.lists(st.none() | st.sampled_from("abc")))
def test_a_narrow_column_holds_the_very_values(values: list[object]) -> None:
    column = pl.Series("x", values)
    assert_series_equal(widened(narrow(column)), column, check_exact=True)


def test_whole_numbers_exact_fractions_and_repeated_texts_get_short_and_others_stay() -> None:
    rows = pl.DataFrame({"n": [1, None, 300], "half": [0.5, None, 2.0], "tenth": [0.1, 1.0, 2.0], "t": ["a", "b", "c"]})
    assert [narrow(each).dtype for each in rows] == [pl.Int16, pl.Float32, pl.Float64, pl.String]
    assert narrow(pl.Series(["a", "b"] * 2)).dtype == pl.Categorical


def test_a_model_of_narrow_rows_is_that_of_wide_ones_to_the_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(1)
    city = pl.Series(random.choice(["Oslo", "Bergen", "Ålesund", None], 2_000).tolist())
    rows = two_clouds(2_000).with_columns(city=city, n=pl.col("id") % 1_000, half=(pl.col("id") % 7) / 2)
    table = str(tmp_path / "table")
    delta.overwrite(table, rows, transactions={})
    config = training(["x0", "city", "n", "half"], hyperparameters={"n_estimators": 10}, slices=["city"])
    # Several batches, the types of which differ.
    monkeypatch.setattr(narrowing, "BATCH", 300)
    short = training_rows(delta.scan(table), config, features())
    assert short.schema["n"] == pl.Int16
    assert short.schema["half"] == pl.Float32
    # What is more than a column of the model keeps its type.
    assert (short.schema["city"], short.schema["id"]) == (pl.String, pl.Int64)
    one, other = fit(config, features(), short), fit(config, features(), rows)
    assert one.metrics == other.metrics
    said = [each.pipeline.predict_proba(model_frame(each.rows, each.inputs)) for each in (one, other)]
    np.testing.assert_array_equal(*said)


def test_an_empty_table_stays_one() -> None:
    assert narrowed(two_clouds(5).clear().lazy(), ["x0"]).schema == two_clouds(5).schema


def test_stretches_are_partial_fits_of_the_shuffled_training_rows_after_one_another() -> None:
    rows = two_clouds(1_000)
    scaled = features(feature_transformations={name: {"type": "scaling"} for name in ("x0", "x1")})
    config = training(["x0", "x1"], algorithm="sgd", stretch_rows=200, class_balance="balanced", random_seed=5)
    found = fit(config, scaled, rows)
    train = found.rows[found.splits.rows["train"]]
    table, label = train.select("x0", "x1").to_numpy(), train["label"].to_numpy()
    share = np.where(label, label.mean(), 1 - label.mean())
    order = np.random.default_rng(5).permutation(len(label))
    stretches = np.array_split(order, 4)
    scaler = preprocessing.StandardScaler().fit(table[stretches[0]])
    by_hand = linear_model.SGDClassifier(random_state=5)
    for stretch in stretches:
        weights = (1 / (2 * share))[stretch]
        by_hand.partial_fit(scaler.transform(table[stretch]), label[stretch], [False, True], weights)
    np.testing.assert_allclose(found.pipeline[-1].coef_, by_hand.coef_, rtol=0, atol=1e-12)
    assert found.metrics["test_roc_auc"] > 0.75


@pytest.mark.parametrize(
    ("model_type", "algorithm"),
    [("regression", "sgd"), ("classification", "naive_bayes"), ("clustering", "mini_batch_kmeans")],
)
def test_every_kind_of_model_learns_in_stretches(model_type: str, algorithm: str) -> None:
    target = "x2" if model_type == "regression" else "label"
    config = training(["x0", "x1"], model_type=model_type, algorithm=algorithm, target_column=target, stretch_rows=100)
    name = {"regression": "test_rmse", "classification": "test_roc_auc", "clustering": "test_silhouette"}[model_type]
    assert fit(config, features(), two_clouds(600)).metrics[name] > 0.1


def test_an_estimator_that_needs_all_rows_is_refused_with_those_that_do_not() -> None:
    config = training(["x0"], algorithm="random_forest", stretch_rows=100)
    with pytest.raises(TrainingError, match="stretch_rows: RandomForestClassifier learns from all rows at once; sgd"):
        fit(config, features(), two_clouds(600))
    with pytest.raises(ValueError, match="need all rows at once"):
        training(["x0"], algorithm="sgd", stretch_rows=100, early_stopping=True)


def test_memory_holds_more_rows_where_they_are_learned_from_in_stretches() -> None:
    schema = two_clouds(5).schema
    whole, stretched = (
        estimated_bytes(1_000_000, schema.dtypes()),
        estimated_bytes(1_000_000, schema.dtypes(), at_once=100),
    )
    assert stretched < whole / 2
    require_memory(1_000_000, schema, int(stretched / 0.79), at_once=100)
    with pytest.raises(TrainingError, match="stretch_rows for an estimator with partial_fit"):
        require_memory(1_000_000, schema, int(stretched / 0.79))
