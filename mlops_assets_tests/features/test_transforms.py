from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
import skops.io
from sklearn import preprocessing

from mlops_assets.config import FeatureConfig
from mlops_assets.features import transformers
from mlops_assets.features.errors import FeatureError
from mlops_assets.features.frames import model_frame, signature_types
from mlops_assets.features.transforms import FeatureSteps, Treatment, feature_pipeline
from mlops_assets.trusted_types import is_trusted
from mlops_assets_tests.model_files import through_a_file

RANDOM = np.random.default_rng(3)
N = 120
ROWS = pl.DataFrame(
    {
        "contract": RANDOM.choice(["monthly", "quarterly", "yearly"], N),
        "amount": RANDOM.gamma(2.0, 10.0, N),
        "flag": RANDOM.random(N) < 0.4,
        "city": RANDOM.choice(["Oslo", "Bergen", "Å"], N),
        "seen": [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=7 * i) for i in range(N)],
        "text": [f"red apple {i % 3} blue" for i in range(N)],
    }
).with_columns(pl.when(pl.int_range(N) % 10 != 0).then(pl.col("amount", "flag", "city", "seen", "text")))
TARGET = RANDOM.random(N) < 0.5


def specs(**columns: object) -> Any:
    fields = {
        "source_table": "s",
        "feature_table_name": "f",
        "primary_keys": ["k"],
        "features": [],
        "timestamp_column": "t",
        "feature_transformations": columns,
    }
    return FeatureConfig.model_validate(fields).feature_transformations


def made(columns: list[str], treatment: Treatment | None = None, **declared: object) -> tuple[Any, list[str]]:
    steps = feature_pipeline(columns, ROWS.schema, specs(**declared), treatment or Treatment())
    out = steps.transformer.fit_transform(model_frame(ROWS, steps.inputs), TARGET)
    return out, list(steps.transformer.get_feature_names_out())


def test_a_feature_may_name_one_output_of_a_one_hot_encoding() -> None:
    one_hot = {"type": "one_hot_encode", "output_columns": ["c_m", "c_q", "c_y"]}
    out, names = made(["c_y", "c_m"], contract=one_hot)
    assert names == ["c_y", "c_m"]
    assert (out[:, 0] == (ROWS["contract"] == "yearly").to_numpy()).all()
    assert (out[:, 1] == (ROWS["contract"] == "monthly").to_numpy()).all()


def test_one_hot_outputs_follow_the_categories_that_are_given() -> None:
    given = ["yearly", "monthly", "quarterly"]
    one_hot = {"type": "one_hot_encode", "output_columns": ["a", "b", "c"], "categories": given}
    out, _ = made(["contract"], contract=one_hot)
    assert (out == np.stack([(ROWS["contract"] == each).to_numpy() for each in given], axis=1)).all()


def test_fewer_output_names_than_values_are_refused() -> None:
    with pytest.raises(FeatureError, match=r"names 2 output_columns .* hold 3 values"):
        made(["contract"], contract={"type": "one_hot_encode", "output_columns": ["a", "b"]})


def test_an_unknown_output_is_refused_with_the_nearest() -> None:
    with pytest.raises(FeatureError, match=r"no output 'contract_yearl'; did you mean 'contract_yearly'\?"):
        made(["contract_yearl"], contract={"type": "one_hot_encode"})


@pytest.mark.parametrize(
    ("method", "scaler"),
    [
        ("min_max", preprocessing.MinMaxScaler()),
        ("standard", preprocessing.StandardScaler()),
        ("robust", preprocessing.RobustScaler()),
    ],
)
def test_scaling_is_scikit_learns(method: str, scaler: Any) -> None:
    out, _ = made(["amount"], amount={"type": "scaling", "method": method})
    np.testing.assert_allclose(out, scaler.fit_transform(ROWS.select("amount").to_numpy()))


@pytest.mark.parametrize(
    ("column", "declared", "expected"),
    [
        ("amount", {"type": "log"}, np.log1p(ROWS["amount"].to_numpy())),
        ("amount", {"type": "clip", "lower": 5, "upper": 20}, ROWS["amount"].clip(5, 20).to_numpy()),
        (
            "amount",
            {"type": "bucketize", "edges": [10, 20]},
            np.digitize(ROWS["amount"].to_numpy(), [10, 20]),
        ),
        ("text", {"type": "text_length"}, ROWS["text"].str.len_chars().to_numpy()),
        (
            "seen",
            {"type": "datetime_parts", "parts": ["dayofweek"]},
            (ROWS["seen"].dt.weekday() - 1).to_numpy(),
        ),
        ("seen", {"type": "datetime_parts", "parts": ["week"]}, ROWS["seen"].dt.week().to_numpy()),
    ],
)
def test_a_transformation_gives_its_formula_and_null_for_null(
    column: str, declared: dict[str, object], expected: Any
) -> None:
    out, _ = made([column], **{column: declared})
    missing = ROWS[column].is_null().to_numpy()
    assert np.isnan(out[missing, 0]).all()
    np.testing.assert_allclose(out[~missing, 0], np.asarray(expected, dtype=float)[~missing])


def test_target_encoding_is_cross_fitted_on_the_training_rows() -> None:
    steps = feature_pipeline(["city"], ROWS.schema, specs(city={"type": "target_encode"}))
    frame = model_frame(ROWS, steps.inputs)
    fitted = steps.transformer.fit_transform(frame, TARGET)
    later = steps.transformer.transform(frame)
    assert not np.allclose(fitted, later)
    assert len(np.unique(later)) <= 4


def test_undeclared_texts_are_native_categories_first_where_the_estimator_has_them() -> None:
    steps = feature_pipeline(["amount", "city", "flag"], ROWS.schema, {}, Treatment(categories=254))
    assert steps.inputs == ("city", "amount", "flag")
    assert steps.categorical == 1
    out = steps.transformer.fit_transform(model_frame(ROWS, steps.inputs))
    unseen = model_frame(ROWS.with_columns(city=pl.lit("Paris")), steps.inputs)
    assert np.isnan(out[ROWS["city"].is_null().to_numpy(), 0]).all()
    assert np.isnan(steps.transformer.transform(unseen)[:, 0]).all()


def test_rare_categories_share_a_number_beyond_the_limit() -> None:
    values = [f"v{i:03}" for i in range(300) for _ in range(2 if i < 200 else 1)]
    rows = pl.DataFrame({"code": values})
    steps = feature_pipeline(["code"], rows.schema, {}, Treatment(categories=254))
    out = steps.transformer.fit_transform(model_frame(rows, ["code"]))
    assert out.max() == 253
    assert (out[[values.index("v298"), values.index("v299")]] == 253).all()


def test_an_estimator_that_takes_no_null_gets_the_median_and_it_is_said() -> None:
    steps = feature_pipeline(["amount", "city"], ROWS.schema, {}, Treatment(takes_nan=False))
    out = steps.transformer.fit_transform(model_frame(ROWS, steps.inputs))
    assert steps.imputed == ("amount",)
    assert out[0, 0] == ROWS["amount"].median()
    assert not np.isnan(out).any()


def everything() -> FeatureSteps:
    declared = specs(
        contract=[{"type": "one_hot_encode"}],
        amount=[{"type": "impute"}, {"type": "power"}, {"type": "polynomial"}],
        city={"type": "hash", "n_features": 3},
        text={"type": "tfidf", "max_features": 4},
        flag={"type": "sklearn", "transformer": "sklearn.preprocessing.StandardScaler"},
    )
    return feature_pipeline(["contract_yearly", "amount", "city", "text", "flag", "seen"], ROWS.schema, declared)


def test_every_step_survives_a_model_file_to_the_bit() -> None:
    steps = everything()
    frame = model_frame(ROWS, steps.inputs)
    out = steps.transformer.fit_transform(frame, TARGET)
    again = through_a_file(steps.transformer)
    np.testing.assert_array_equal(again.transform(frame), out)


def test_a_model_file_that_names_the_transformers_by_their_package_is_still_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fitted = transformers.Categories().fit(np.array([["b"], ["a"]], dtype=object))
    with monkeypatch.context() as older:
        older.setattr(transformers.Categories, "__module__", "mlops_assets.features.transformers")
        kept = skops.io.dumps(fitted)
    trusted = skops.io.get_untrusted_types(data=kept)
    assert trusted == ["mlops_assets.features.transformers.Categories"]
    assert all(map(is_trusted, trusted))
    again = skops.io.loads(kept, trusted=trusted)
    np.testing.assert_array_equal(again.transform(np.array([["b"], ["c"]], dtype=object)), [[1.0], [np.nan]])


@pytest.mark.parametrize(
    ("columns", "declared", "message"),
    [
        (["amuont"], {}, r"'amuont' is no column .*did you mean 'amount'\?"),
        (
            ["amount"],
            {"amount": {"type": "sklearn", "transformer": "sklearn.preprocessing.Nope"}},
            "no transformer",
        ),
        (
            ["amount"],
            {
                "amount": {
                    "type": "sklearn",
                    "transformer": "sklearn.preprocessing.StandardScaler",
                    "parameters": {"with_maen": True},
                }
            },
            r"unknown parameter 'with_maen'; did you mean 'with_mean'\?",
        ),
    ],
)
def test_a_mistake_is_named_with_what_would_be_right(
    columns: list[str], declared: dict[str, object], message: str
) -> None:
    with pytest.raises(FeatureError, match=message):
        made(columns, **declared)


def test_a_served_model_takes_whole_numbers_as_double() -> None:
    schema = pl.Schema({"n": pl.Int64, "b": pl.Boolean, "s": pl.String, "t": pl.Datetime("us", "UTC")})
    types = ["double", "boolean", "string", "datetime"]
    assert [kind for _, kind in signature_types(schema, list(schema))] == types


def test_neighbouring_instants_each_give_their_parts() -> None:
    rows = ROWS.select("seen", seen_first=pl.col("seen").dt.offset_by("-40d"))
    steps = feature_pipeline(["seen", "seen_first"], rows.schema, {})
    made = steps.transformer.fit_transform(model_frame(rows, steps.inputs))
    names = [f"{column}_{part}" for column in rows.columns for part in ("month", "dayofweek", "hour")]
    assert list(steps.transformer.get_feature_names_out()) == names
    months = rows.select(pl.all().dt.month().cast(pl.Float64)).to_numpy()
    np.testing.assert_array_equal(made[:, [0, 3]], months)


def test_a_column_may_be_called_like_a_kind_of_values_or_hold_two_underscores() -> None:
    rows = ROWS.select(number="amount", weather__temp="amount", truth="flag", categories="city")
    clipped = specs(number={"type": "clip", "upper": 1.0})
    steps = feature_pipeline(rows.columns, rows.schema, clipped, Treatment(categories=10))
    made = steps.transformer.fit_transform(model_frame(rows, steps.inputs))
    assert made.shape == (N, 4)
    np.testing.assert_array_equal(made[:, 1], np.minimum(rows["number"].to_numpy(), 1.0))
    np.testing.assert_array_equal(made[:, 2], rows["weather__temp"].to_numpy())
