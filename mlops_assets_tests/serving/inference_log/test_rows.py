import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from mlops_assets.serving.inference_log.rows import COLUMNS
from mlops_assets_tests.serving.inference_log.requests import logged, request


def test_each_row_of_a_request_is_a_row_of_the_table(tmp_path: Path) -> None:
    body = {
        "dataframe_split": {"columns": ["a", "b"], "data": [[1, "x"], [2, None]]},
        "client_request_id": "mine",
    }
    answer = {"predictions": [{"prediction": "no", "probability": 0.25}, {"prediction": "yes", "probability": 0.75}]}

    rows = logged(request(body, answer))

    assert rows.columns == list(COLUMNS)
    assert rows.schema["time"] == pl.Datetime("us", "UTC")
    assert rows["inputs"].to_list() == ['{"a": 1, "b": "x"}', '{"a": 2, "b": null}']
    assert rows.select("row", "prediction", "label", "probability").rows() == [
        (0, None, "no", 0.25),
        (1, None, "yes", 0.75),
    ]
    assert rows.select("client_request_id", "endpoint", "version", "status_code", "latency_ms").unique().rows() == [
        ("mine", "churn", "3", 200, 1.5)
    ]
    assert rows["time"][0] == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("prediction", "columns"),
    [
        ({"prediction": 1, "probability": 0.9}, (1.0, "1", 0.9)),
        ({"prediction": True, "probability": 0.9}, (1.0, "true", 0.9)),
        ({"prediction": 2.5}, (2.5, None, None)),
        ({"prediction": None}, (None, None, None)),
        ({"prediction": "a", "probability": 0.5, "probabilities": {"a": 0.5, "b": 0.5}}, (None, "a", 0.5)),
    ],
)
def test_numbers_are_predictions_and_labels_are_text(
    tmp_path: Path, prediction: dict[str, object], columns: tuple[object, ...]
) -> None:
    rows = logged(request({"instances": [{"a": 1}]}, {"predictions": [prediction]}))

    assert rows.select("prediction", "label", "probability").rows() == [columns]


def test_refused_requests_are_there_with_their_status(tmp_path: Path) -> None:
    rows = logged(
        request({"instances": [{"a": "x"}, {"a": 2}]}, {"message": "no"}, 400),
        request({}, {"message": "no"}, 400, request_id="r2"),
        request(b"no json \xff\t\n", {}, 503, request_id="r3"),
    )

    assert rows.select("request_id", "row", "status_code", "inputs", "prediction").rows() == [
        ("r1", 0, 400, '{"a": "x"}', None),
        ("r1", 1, 400, '{"a": 2}', None),
        ("r2", 0, 400, None, None),
        ("r3", 0, 503, None, None),
    ]


def test_declared_columns_are_hashed_or_dropped_before_they_reach_the_table(tmp_path: Path) -> None:
    rows = [{"name": "Ann", "city": "Oslo", "x": 1}, {"name": "Ann", "city": None, "x": 2}, {"name": "Bo", "x": 3}]
    answer = {"predictions": [{"prediction": 1.0}] * 3}

    found = logged(request({"instances": rows}, answer, hashed=("name",), dropped=("city",)))

    inputs = [json.loads(each) for each in found["inputs"]]
    assert [each["x"] for each in inputs] == [1, 2, 3]
    assert inputs[0]["name"] == inputs[1]["name"] != inputs[2]["name"]
    assert "Ann" not in str(inputs)
    assert not any("city" in each for each in inputs)


def test_values_by_position_get_the_models_column_names(tmp_path: Path) -> None:
    answer = {"predictions": [{"prediction": 1.0}]}

    rows = logged(request({"instances": [[1, 2]]}, answer, columns=("a", "b")))

    assert rows["inputs"].to_list() == ['{"a": 1, "b": 2}']
