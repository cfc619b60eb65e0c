import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import polars as pl
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.serving import gateway_process
from mlops_assets.serving.endpoints import EndpointSpec, GatewayEndpoints
from mlops_assets.serving.inference_log.recording import InferenceLog, LoggedRequest
from mlops_assets.serving.inference_log.rows import COLUMNS, table_rows
from mlops_assets.serving.inference_log.spool import Spool, Spooled
from mlops_assets.serving.inference_log.writer import write
from mlops_assets_tests.serving.conftest import invoke, kill, running, token_of, wait_until, workers_of

Deploy = Callable[..., EndpointSpec]


@dataclass(frozen=True)
class Answered:
    """A logged request with its body and answer."""

    request: LoggedRequest
    body: bytes
    answer: bytes

    def line(self) -> bytes:
        return self.request.line(self.body, self.answer)


def request(content: object, answer: object, status: int = 200, **changes: object) -> Answered:
    standard: dict[str, object] = {
        "request_id": "r1",
        "time_us": 1_700_000_000_000_000,
        "endpoint": "churn",
        "version": "3",
        "served_model_name": "churn-3",
        "latency_ms": 1.5,
        "status_code": status,
    }
    body = content if isinstance(content, bytes) else json.dumps(content, indent="\t").encode()
    logged = LoggedRequest(**{**standard, **changes})  # type: ignore[arg-type]
    return Answered(logged, body, json.dumps(answer).encode())


def logged(*requests: Answered) -> pl.DataFrame:
    return table_rows(b"".join(each.line() for each in requests), b"key").sort("request_id", "row")


def through_a_gateway(tmp_path: Path, *requests: Answered) -> pl.DataFrame:
    """What a gateway's log has written when it has ended."""
    log = InferenceLog(tmp_path / "spool", b"key")
    log.start()
    for each in requests:
        log.append(str(tmp_path / "log"), each.request, each.body, each.answer)
    log.close()
    assert not [each for each in (tmp_path / "spool").iterdir() if each.is_dir()]
    return pl.read_delta(str(tmp_path / "log"))


def spooled(tmp_path: Path, *requests: Answered) -> Spooled:
    """What a killed gateway has left."""
    spool = Spool.begun(tmp_path / "spool", "killed", str(tmp_path / "log"))
    for each in requests:
        spool.append(each.line())
    return Spooled(spool.folder)


ONE = request({"instances": [{"a": 1}]}, {"predictions": [{"prediction": 1.0}]})
ONE_MORE = request({"instances": [{"a": 1}]}, {"predictions": [{"prediction": 1.0}]}, request_id="r2")


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


def test_values_by_position_get_the_models_column_names(tmp_path: Path) -> None:
    answer = {"predictions": [{"prediction": 1.0}]}

    rows = logged(request({"instances": [[1, 2]]}, answer, columns=("a", "b")))

    assert rows["inputs"].to_list() == ['{"a": 1, "b": 2}']


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


def test_what_was_committed_and_not_deleted_is_not_committed_again(tmp_path: Path) -> None:
    left = spooled(tmp_path, ONE)
    assert write(left) == (left.end(), 1)

    assert through_a_gateway(tmp_path).height == 1


def test_what_arrives_while_the_table_is_written_waits_for_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool.begun(tmp_path / "spool", "busy", str(tmp_path / "log"))
    spool.append(ONE.line())

    def while_another_arrives(lines: bytes, hash_key: bytes) -> pl.DataFrame:
        spool.append(ONE.line())
        return table_rows(lines, hash_key)

    monkeypatch.setattr("mlops_assets.serving.inference_log.writer.table_rows", while_another_arrives)
    left = Spooled(spool.folder)

    assert [write(left)[1] for _ in range(3)] == [1, 1, 1]


def test_a_line_torn_by_a_crash_is_left_out_and_the_others_are_kept_and_counted(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    left = spooled(tmp_path, ONE)
    with next(left.folder.glob("*.tsv")).open("ab") as file:
        file.write(ONE.line()[:40])

    assert through_a_gateway(tmp_path, ONE).height == 2
    assert (
        f"1 requests that an earlier gateway had left are in {tmp_path / 'log'} now; lost: 1" in capfd.readouterr().err
    )


def test_a_full_disk_tears_one_line_and_the_next_is_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool.begun(tmp_path / "spool", "running", str(tmp_path / "log"))
    real, full = os.write, iter([True, False])

    def half(descriptor: int, data: bytes) -> int:
        if len(data) < len(ONE.line()):
            raise OSError(28, "No space left on device")
        return real(descriptor, data[:40] if next(full, False) else data)

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(OSError, match="No space"):
        spool.append(ONE.line())
    spool.append(ONE.line())
    monkeypatch.undo()

    assert write(Spooled(spool.folder)) == (40 + len(ONE.line()), 1)
    assert pl.read_delta(str(tmp_path / "log")).height == 1


def test_what_a_full_disk_refuses_of_the_requests_of_a_moment_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Spool, "append", only_the_first_line)
    log = InferenceLog(tmp_path / "spool")
    for each in (ONE, ONE_MORE, ONE_MORE):
        log.append(str(tmp_path / "log"), each.request, each.body, each.answer)
    log.close()

    assert log.lost == 2
    assert pl.read_delta(str(tmp_path / "log"))["request_id"].to_list() == ["r1"]


def only_the_first_line(spool: Spool, lines: bytes) -> None:
    spool.end = lines.index(b"\n") + 40
    (spool.folder / f"{0:020}.tsv").write_bytes(lines[: spool.end])
    raise OSError(28, "No space left on device")


def test_requests_in_the_memory_of_a_gateway_that_is_killed_are_counted(tmp_path: Path) -> None:
    program = """
import os, sys, time
from pathlib import Path
from mlops_assets.serving.inference_log import recording
recording.BUFFER_SECONDS = 60
spool, table = sys.argv[1:]
log = recording.InferenceLog(Path(spool))
request = recording.LoggedRequest("r", 0, "churn", "3", "churn-3", 1.5, 200)
body, answer = b'{"instances": [{"a": 1}]}', b'{"predictions": [{"prediction": 1}]}'
for number in range(5):
    log.append(table, request, body, answer)
    if number == 1:
        log._spool()
while not Path(spool, "writer.lock").exists():
    time.sleep(0.02)
os.kill(os.getpid(), 9)
"""
    places = [str(tmp_path / "spool"), str(tmp_path / "log")]

    ended = subprocess.run([sys.executable, "-c", program, *places], capture_output=True, text=True, check=False)

    assert ended.returncode == -9
    assert "lost: 3 requests, which were in the memory of a gateway that was killed" in ended.stderr
    assert pl.read_delta(str(tmp_path / "log")).height == 2


def test_a_spool_of_many_segments_is_one_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlops_assets.serving.inference_log.spool.SEGMENT_BYTES", 2 * len(ONE.line()))
    spool = Spool.begun(tmp_path / "spool", "running", str(tmp_path / "log"))
    for _ in range(3):
        spool.append(ONE.line())
    left = Spooled(spool.folder)
    left.forget(write(left)[0], ended=False)
    assert [path.name for path in spool.folder.glob("*.tsv")] == [f"{2 * len(ONE.line()):020d}.tsv"]
    spool.append(ONE.line())

    write(left)

    assert pl.read_delta(str(tmp_path / "log")).height == 4


def test_a_table_that_cannot_be_written_keeps_its_requests_for_the_next_start(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("not a table")
    log = InferenceLog(tmp_path / "spool")
    log.start()
    log.append(str(tmp_path / "log"), ONE.request, ONE.body, ONE.answer)
    log.close()
    assert len(list((tmp_path / "spool").rglob("*.tsv"))) == 1

    (tmp_path / "log").unlink()

    assert through_a_gateway(tmp_path).height == 1


def test_the_log_keeps_the_gateways_process_light(tmp_path: Path) -> None:
    program = (
        "import sys; from mlops_assets.serving.gateway.application import application;"
        "print([name for name in ('pandas', 'polars', 'deltalake', 'pyarrow', 'sklearn') if name in sys.modules])"
    )

    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert output.stdout.strip() == "[]"


def writers_of(folder: Path) -> list[int]:
    """This process's writers of the logs below `folder`."""
    found = [child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]
    return [each.pid for each in found if str(folder / "spool") in each.cmdline()]


def test_a_writer_that_dies_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlops_assets.serving.inference_log.recording.RESTART_SECONDS", 0)
    log = InferenceLog(tmp_path / "spool")
    log.append(str(tmp_path / "log"), ONE.request, ONE.body, ONE.answer)
    wait_until(lambda: len(writers_of(tmp_path)) == 1)
    (first,) = writers_of(tmp_path)
    kill(first)

    log.append(str(tmp_path / "log"), ONE.request, ONE.body, ONE.answer)
    wait_until(lambda: (tmp_path / "log" / "_delta_log").exists())
    assert first not in writers_of(tmp_path)
    time.sleep(0.5)  # what is in the table is deleted from the spool now, and the gateway writes on
    log.append(str(tmp_path / "log"), ONE.request, ONE.body, ONE.answer)
    log.close()

    assert pl.read_delta(str(tmp_path / "log")).height == 3


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


def json_read(rows: pl.DataFrame) -> list[dict[str, object]]:
    return [{**row, "inputs": json.loads(row["inputs"])} for row in rows.iter_rows(named=True)]


def send(url: str, token: str, numbers: range) -> list[str]:
    """Request ids of one request per number, each of two rows with that tenure."""
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=url, headers=headers, timeout=30, trust_env=False) as client:
        answers = [
            invoke(client, {"dataframe_records": [{"tenure": number, "charges": 1.0}] * 2}) for number in numbers
        ]
    assert {answer.status_code for answer in answers} == {200}
    return [answer.headers["x-request-id"] for answer in answers]


@pytest.mark.slow
def test_no_row_is_lost_to_sigterm_and_what_a_kill_loses_is_told_and_a_restart_serves_the_same(
    tmp_path: Path, deploy: Deploy
) -> None:
    table = tmp_path / "table"
    with running(tmp_path) as first:
        token = token_of(first)
        with GatewayEndpoints(first.url, token) as endpoints:
            endpoints.apply(deploy(inference_table=str(table), tags={"team": "churn"}))
            before = endpoints.wait_ready("churn")
        ids = send(first.url, token, range(50))
        gateway_process.stop(tmp_path)
        assert sorted(pl.read_delta(str(table))["request_id"]) == sorted(ids * 2)

        second = gateway_process.ensure_running(tmp_path, port=0)
        assert token_of(second) == token
        with GatewayEndpoints(second.url, token) as endpoints:
            assert endpoints.wait_ready("churn") == before
        ids += send(second.url, token, range(50))
        (worker,) = workers_of(second.pid)
        kill(second.pid)
        wait_until(lambda: not psutil.pid_exists(worker))

        third = gateway_process.ensure_running(tmp_path, port=0)
        with GatewayEndpoints(third.url, token) as endpoints:
            assert endpoints.wait_ready("churn") == before
        gateway_process.stop(tmp_path)

    rows = pl.read_delta(str(table))
    told = re.findall(r"lost: (\d+) requests", (tmp_path / "gateway" / "gateway.log").read_text())
    lost = sum(map(int, told))
    assert lost <= 50
    assert sorted(rows["request_id"]) == sorted(ids[: len(ids) - lost] * 2)
    assert rows["label"].null_count() == 0
    assert (datetime.now(UTC) - rows["time"].min()) < timedelta(minutes=5)
