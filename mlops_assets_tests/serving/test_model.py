from pathlib import Path

import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.svm import LinearSVC

from mlops_assets.serving.model import ModelFormatError, ServedModel, load_served_model
from mlops_assets.serving.signature import Column, SignatureError, conform

X = Column("x", "double", True)
FRAME = pd.DataFrame({"x": [float(value) for value in range(30)]})


def one(**values: object) -> pd.DataFrame:
    complete = {"tenure": 3, "charges": 20.0, "contract": "monthly", "signed": None, **values}
    return pd.DataFrame({name: [value] for name, value in complete.items()}, dtype=object)


def test_a_logged_classifier_gives_the_estimators_own_labels_and_probabilities(
    model_path: Path, churn: pd.DataFrame
) -> None:
    model = load_served_model(model_path)

    predictions = model.predict(churn)

    assert [row["prediction"] for row in predictions] == model.estimator.predict(churn).tolist()
    assert [row["probability"] for row in predictions] == model.estimator.predict_proba(churn)[:, 1].tolist()
    assert model.inputs == {"tenure": "long", "charges": "double", "contract": "string", "signed": "datetime"}


def test_a_classifier_of_three_classes_gives_the_predicted_ones_probability_and_all_of_them() -> None:
    labels = ["abc"[int(value) // 10] for value in FRAME["x"]]
    model = ServedModel(RandomForestClassifier(5, random_state=0).fit(FRAME, labels), (X,))

    first = model.predict(FRAME)[0]

    assert first["prediction"] == "a"
    assert first["probability"] == first["probabilities"]["a"]
    assert sum(first["probabilities"].values()) == pytest.approx(1)


def test_a_regressor_gives_numbers_alone() -> None:
    model = ServedModel(LinearRegression().fit(FRAME, FRAME["x"] * 2), (X,))

    assert model.predict(FRAME.head(2)) == [
        {"prediction": pytest.approx(0)},
        {"prediction": pytest.approx(2)},
    ]


def test_a_classifier_without_probabilities_gives_labels_alone() -> None:
    model = ServedModel(LinearSVC().fit(FRAME, FRAME["x"] > 15), (X,))

    assert model.predict(FRAME.tail(1)) == [{"prediction": True}]


def test_no_rows_give_no_predictions() -> None:
    assert ServedModel(HistGradientBoostingClassifier(), (X,)).predict(FRAME.head(0)) == []


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"tenure": "twelve"}, "tenure"),
        ({"tenure": 1.5}, "tenure"),
        ({"tenure": True}, "tenure"),
        ({"tenure": None}, "tenure"),
        ({"tenure": 1 << 63}, "tenure"),
        ({"charges": "20"}, "charges"),
        ({"charges": False}, "charges"),
        ({"charges": 10**400}, "charges"),
        ({"contract": 7}, "contract"),
        ({"signed": "soon"}, "signed"),
        ({"signed": 1700000000}, "signed"),
    ],
)
def test_a_wrong_value_is_refused_by_its_field_and_not_repeated(
    model_path: Path, values: dict[str, object], field: str
) -> None:
    with pytest.raises(SignatureError) as refused:
        load_served_model(model_path).predict(one(**values))

    assert refused.value.field == field
    assert str(values[field]) not in str(refused.value) or values[field] is None


@pytest.mark.parametrize(
    "values",
    [
        {"tenure": 12.0},
        {"charges": 20},
        {"charges": None},
        {"contract": None},
        {"signed": "2024-02-29"},
        {"signed": "2024-02-29T10:00:00Z"},
        {"signed": pd.Timestamp("2024-02-29", tz="Asia/Tokyo")},
        {"unknown": "ignored"},
    ],
)
def test_what_converts_without_loss_is_taken(model_path: Path, values: dict[str, object]) -> None:
    assert len(load_served_model(model_path).predict(one(**values))) == 1


def test_optional_columns_may_be_missing_and_required_ones_may_not(model_path: Path) -> None:
    model = load_served_model(model_path)

    assert model.predict(one().drop(columns=["contract", "signed"])) == model.predict(one(contract=None))
    with pytest.raises(SignatureError, match="field 'tenure': the column is missing"):
        model.predict(one().drop(columns="tenure"))


def test_a_model_that_is_not_skops_is_refused(model_path: Path, tmp_path: Path) -> None:
    text = (model_path / "MLmodel").read_text()
    (tmp_path / "MLmodel").write_text(text.replace("serialization_format: skops", "serialization_format: pickle"))

    with pytest.raises(ModelFormatError, match="only 'skops' is served"):
        load_served_model(tmp_path)


def test_a_model_file_outside_its_directory_is_refused(model_path: Path, tmp_path: Path) -> None:
    text = (model_path / "MLmodel").read_text()
    (tmp_path / "MLmodel").write_text(text.replace("pickled_model: model.skops", "pickled_model: ../model.skops"))

    with pytest.raises(ModelFormatError, match="leads out"):
        load_served_model(tmp_path)


def test_a_folder_that_is_no_model_says_so(tmp_path: Path) -> None:
    with pytest.raises(ModelFormatError, match="no file named MLmodel"):
        load_served_model(tmp_path)


@pytest.mark.parametrize(
    ("kind", "values", "dtype"),
    [
        ("double", [1, 2], "int64"),
        ("double", [1.5, None], "float32"),
        ("double", [1.5, None], "object"),
        ("long", [1, 2], "int32"),
        ("long", [1.0, 2.0], "float64"),
        ("long", [1, 2], "Int64"),
        ("boolean", [True, False], "bool"),
        ("boolean", [True, False], "object"),
    ],
)
def test_the_model_gets_its_own_types_whatever_the_frames_are(kind: str, values: list[object], dtype: str) -> None:
    column = Column("x", kind, True)

    conformed = conform(pd.DataFrame({"x": pd.Series(values, dtype=dtype)}), [column])

    assert str(conformed["x"].dtype) == {"double": "float64", "long": "int64", "boolean": "bool"}[kind]
    assert [None if value != value else value for value in conformed["x"].tolist()] == values


def test_a_whole_number_column_with_a_null_is_refused_where_it_is_required() -> None:
    frame = pd.DataFrame({"x": [1.0, None]})

    with pytest.raises(SignatureError, match="row 1 is null"):
        conform(frame, [Column("x", "long", True)])
    assert str(conform(frame, [Column("x", "long", False)])["x"].dtype) == "float64"


def test_a_whole_number_beyond_every_float_is_told_and_no_crash() -> None:
    with pytest.raises(SignatureError, match="row 0 does not fit in 64 bits"):
        conform(pd.DataFrame({"n": [10**400, 2.0]}, dtype=object), [Column("n", "long", True)])


MOMENTS = pd.Series(pd.to_datetime(["2024-03-31 01:30:00.123456", None]))


@pytest.mark.parametrize(
    "given",
    [
        MOMENTS.dt.as_unit("us"),
        MOMENTS.dt.tz_localize("UTC").dt.tz_convert("Europe/Madrid"),
        pd.Series(["2024-03-31T01:30:00.123456", None]),
        pd.Series(["2024-03-31T03:30:00.123456+02:00", None]),
    ],
)
def test_times_of_any_unit_and_zone_are_the_same_moments(given: "pd.Series[object]") -> None:
    conformed = conform(pd.DataFrame({"t": given}), [Column("t", "datetime", False)])

    pd.testing.assert_series_equal(conformed["t"], MOMENTS.astype("datetime64[ns]"), check_names=False)
    with pytest.raises(SignatureError, match="field 't': row 1 is null"):
        conform(pd.DataFrame({"t": given}), [Column("t", "datetime", True)])


@pytest.mark.parametrize("given", [pd.Series(["1066-10-14"]), pd.Series(["1066-10-14"]).astype("datetime64[s]")])
def test_a_time_before_what_a_model_takes_is_told(given: "pd.Series[object]") -> None:
    with pytest.raises(SignatureError, match="between 1678 and 2261"):
        conform(pd.DataFrame({"t": given}), [Column("t", "datetime", True)])


def test_a_million_times_in_another_unit_are_taken_as_a_column(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlops_assets.serving.signature._moment", None)
    times = pd.Series(pd.date_range("2024-01-01", periods=1_000_000, freq="min", tz="UTC")).dt.as_unit("us")

    assert len(conform(pd.DataFrame({"t": times}), [Column("t", "datetime", True)])) == len(times)
