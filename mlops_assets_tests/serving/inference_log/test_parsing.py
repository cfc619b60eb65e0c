import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets_tests.serving.inference_log.requests import ONE_MORE, Answered, json_read, logged, request


def test_requests_of_many_rows_are_cut_row_by_row_and_keep_their_numbers(tmp_path: Path) -> None:
    cells = [{"a": row, "b": "x, \\" if row % 2 else None} for row in range(40)]
    split = {"dataframe_split": {"columns": ["a", "b"], "data": [list(row.values()) for row in cells]}}
    answer = {"predictions": [{"prediction": row + 0.5, "probability": row / 40} for row in range(40)]}
    masked = request({"instances": cells}, answer, dropped=("\0",))  # is parsed

    by_name, by_position, parsed = (
        json_read(logged(each)) for each in (request({"instances": cells}, answer), request(split, answer), masked)
    )

    assert [row["row"] for row in by_name] == list(range(40))
    assert by_name == by_position == parsed


TWO = b'{"dataframe_split": {"data": [["\xc3\xa9", 1], [null, 2]]}}'


@pytest.mark.parametrize("body", [TWO, TWO.decode().encode("utf-16"), TWO.decode().encode("utf-16-le")])
def test_a_body_without_names_or_in_another_encoding_is_a_row_a_prediction(body: bytes) -> None:
    answer = {"predictions": [{"prediction": 1.0}, {"prediction": 2.0}]}

    rows = logged(request(body, answer, columns=("a", "b")))

    assert [json.loads(each) for each in rows["inputs"]] == [{"a": "é", "b": 1}, {"a": None, "b": 2}]


@pytest.mark.parametrize(
    "body",
    [
        b'{"dataframe_split": {"columns": ["a"], "data": [[1]]}, "dataframe_split": {"data": [[1], [2]]}}',
        b'{"instances": [[' + b"[" * 990 + b"]" * 990 + b"], [1]]}",
        b'{"client_request_id": ' + b"[" * 990 + b"]" * 990 + b', "instances": [{}, {}]}',
    ],
)
def test_a_body_that_cannot_be_read_again_keeps_no_other_request_from_its_table(body: bytes) -> None:
    answer = {"predictions": [{"prediction": 1.0}, {"prediction": 2.0}]}

    rows = logged(request(body, answer), ONE_MORE)

    assert rows.select("request_id", "prediction").rows() == [("r1", 1.0), ("r1", 2.0), ("r2", 1.0)]
    assert rows["inputs"].is_null().to_list() == [True, True, False]


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()

one_row = st.dictionaries(st.text(), scalars | st.lists(scalars, max_size=1), max_size=4)

labels = st.one_of(
    st.text(), st.booleans(), st.integers(-(2**60), 2**60), st.floats(allow_nan=False, allow_infinity=False)
)

forms = st.sampled_from(["dataframe_records", "instances", "inputs", "dataframe_split"])

answered = st.tuples(one_row, labels, st.none() | st.floats(0, 1), forms)


@settings(max_examples=25)
@given(st.lists(answered, min_size=1, max_size=8))
def test_rows_that_are_cut_out_are_the_rows_that_are_parsed(
    many: list[tuple[dict[str, object], object, float | None, str]],
) -> None:
    def lines(**changes: object) -> list[Answered]:
        found = []
        for place, (cells, label, chance, form) in enumerate(many):
            prediction = {"prediction": label} | ({} if chance is None else {"probability": chance})
            split = {"columns": list(cells), "data": [list(cells.values())]}
            body = {form: split if form == "dataframe_split" else [cells]}
            found.append(request(body, {"predictions": [prediction]}, request_id=str(place), **changes))
        return found

    cut, parsed = (json_read(logged(*each)) for each in (lines(), lines(dropped=("\0",))))

    assert cut == parsed
    inputs = {row["request_id"]: row["inputs"] for row in cut}
    assert {place: cells for place, (cells, *_) in enumerate(many) if cells and inputs[str(place)] != cells} == {}
