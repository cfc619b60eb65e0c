"""What MLflow and its servers make of the folder that a model is kept in."""

import json
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mlops_assets.features.frames import model_frame, signature_types
from mlops_assets.model_folder import Described, save_model
from mlops_assets.training.example import typical_row
from mlops_assets.training.fit import Fitted, fit
from mlops_assets.trusted_types import UntrustedModelError
from mlops_assets_tests.training.documents import features, training, two_clouds


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    rows = two_clouds(300).with_columns(
        city=pl.Series(["Oslo", "Bergen", "Oslo"] * 100),
        flag=pl.col("x1") > 0,
        signed=pl.col("time").dt.date(),
        paid=pl.col("time"),
    )
    columns = ["x0", "city", "flag", "signed", "paid"]
    return fit(training(columns, algorithm="random_forest", hyperparameters={"n_estimators": 5}), features(), rows)


@pytest.fixture(scope="module")
def folder(fitted: Fitted, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from mlflow.models import Model

    made = tmp_path_factory.mktemp("model") / "folder"
    inputs = signature_types(fitted.rows.schema, fitted.inputs)
    example = typical_row(fitted.rows, fitted.inputs)
    outputs = [("prediction", "boolean"), ("probability", "double")]
    save_model(str(made), Model(), Described(fitted.pipeline, inputs, outputs, example))
    return made


def test_mlflow_loads_both_flavors_and_they_answer_as_the_fitted_model(folder: Path, fitted: Fitted) -> None:
    import mlflow

    table = model_frame(fitted.rows, fitted.inputs)
    expected = fitted.pipeline.predict_proba(table)
    plain = mlflow.sklearn.load_model(str(folder))
    np.testing.assert_array_equal(plain.predict_proba(table), expected)
    answers = mlflow.pyfunc.load_model(str(folder)).predict(table)
    np.testing.assert_array_equal(answers["probability"], expected[:, 1])


def test_the_input_example_is_a_row_that_the_model_takes_from_mlflow_and_over_http(folder: Path) -> None:
    import mlflow
    from mlflow.models import Model
    from mlflow.pyfunc.scoring_server import infer_and_parse_data

    logged = Model.load(str(folder))
    example = logged.load_input_example(str(folder))
    assert list(example.columns) == logged.signature.inputs.input_names()
    (direct,) = mlflow.pyfunc.load_model(str(folder)).predict(example)["probability"]
    request = json.loads(logged.get_serving_input(str(folder)))
    parsed = infer_and_parse_data(request, logged.get_input_schema())
    assert mlflow.pyfunc.load_model(str(folder)).predict(parsed)["probability"].tolist() == [direct]


def test_the_environment_files_pin_what_is_installed(folder: Path) -> None:
    import mlflow

    pinned = (folder / "requirements.txt").read_text().split()
    names = {line.split("==")[0] for line in pinned}
    assert names == {"mlflow", "scikit-learn", "skops", "numpy", "pandas", "mlops-assets"}
    assert f"mlflow=={mlflow.__version__}" in pinned
    assert mlflow.pyfunc.get_model_dependencies(str(folder))
    assert "requirements.txt" in (folder / "python_env.yaml").read_text()
    assert all(line in (folder / "conda.yaml").read_text() for line in pinned)


def test_an_estimator_that_no_safe_file_can_hold_is_told(tmp_path: Path) -> None:
    from mlflow.models import Model

    config = training(
        ["x0", "x1"], model_type="clustering", algorithm="sklearn.cluster.Birch", hyperparameters={"n_clusters": 2}
    )
    made = fit(config, features(), two_clouds(200)).pipeline
    with pytest.raises(
        UntrustedModelError, match="algorithm: Birch cannot be kept in a model file that is safe to load"
    ):
        save_model(str(tmp_path / "folder"), Model(), Described(made, [], [], {}))


def test_the_typical_row_is_the_middle_or_the_commonest_of_each_column() -> None:
    rows = pl.DataFrame(
        {
            "number": [3, 1, None],
            "text": ["b", "b", "a"],
            "truth": [True, True, False],
            "day": [date(2024, 1, 1), date(2024, 1, 3), date(2024, 1, 2)],
            "moment": [datetime(2024, 1, 1, 5, tzinfo=UTC)] * 3,
            "nothing": pl.Series([None] * 3, dtype=pl.String),
        }
    )
    row = typical_row(rows, rows.columns)
    assert json.dumps(row, default=str)
    assert row == {
        "number": 3.0,
        "text": "b",
        "truth": True,
        "day": datetime(2024, 1, 2),
        "moment": datetime(2024, 1, 1, 5),
        "nothing": None,
    }
