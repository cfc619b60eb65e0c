import json
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

from mlops_assets.serving import gateway_process
from mlops_assets.serving.endpoints import EndpointSpec, GatewayEndpoints
from mlops_assets.serving.inference_log import COLUMNS, InferenceLog, LoggedRequest, _commit
from mlops_assets.serving.spool import Spool
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


def logged(tmp_path: Path, *requests: Answered) -> pl.DataFrame:
    table = str(tmp_path / "log")
    log = InferenceLog(tmp_path / "spool", b"key")
    log.start()
    for each in requests:
        log.append(table, each.request, each.body, each.answer, 1)
    log.close()
    assert list((tmp_path / "spool").rglob("*.jsonl")) == []
    return pl.read_delta(table).sort("request_id", "row")


ONE = request({"instances": [{"a": 1}]}, {"predictions": [{"prediction": 1.0}]})


def test_each_row_of_a_request_is_a_row_of_the_table(tmp_path: Path) -> None:
    body = {
        "dataframe_split": {"columns": ["a", "b"], "data": [[1, "x"], [2, None]]},
        "client_request_id": "mine",
    }
    answer = {"predictions": [{"prediction": "no", "probability": 0.25}, {"prediction": "yes", "probability": 0.75}]}

    rows = logged(tmp_path, request(body, answer))

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
    rows = logged(tmp_path, request({"instances": [{"a": 1}]}, {"predictions": [prediction]}))

    assert rows.select("prediction", "label", "probability").rows() == [columns]


def test_refused_requests_are_there_with_their_status(tmp_path: Path) -> None:
    rows = logged(
        tmp_path,
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

    found = logged(tmp_path, request({"instances": rows}, answer, hashed=("name",), dropped=("city",)))

    inputs = [json.loads(each) for each in found["inputs"]]
    assert [each["x"] for each in inputs] == [1, 2, 3]
    assert inputs[0]["name"] == inputs[1]["name"] != inputs[2]["name"]
    assert "Ann" not in str(inputs)
    assert not any("city" in each for each in inputs)


def test_values_by_position_get_the_models_column_names(tmp_path: Path) -> None:
    answer = {"predictions": [{"prediction": 1.0}]}

    rows = logged(tmp_path, request({"instances": [[1, 2]]}, answer, columns=["a", "b"]))

    assert rows["inputs"].to_list() == ['{"a": 1, "b": 2}']


def test_a_segment_that_was_committed_and_not_deleted_is_not_committed_again(tmp_path: Path) -> None:
    spool = Spool.of(tmp_path / "spool", str(tmp_path / "log"))
    line = ONE.line()
    spool.append(line, 1)
    (segment,) = spool.seal()
    _commit(spool, segment)
    assert segment.exists()

    after = logged(tmp_path)

    assert after.height == 1


def test_a_line_torn_by_a_crash_is_left_out_and_the_others_are_kept(tmp_path: Path) -> None:
    spool = Spool.of(tmp_path / "spool", str(tmp_path / "log"))
    line = ONE.line()
    spool.append(line, 1)
    (segment,) = spool.seal()
    with segment.open("ab") as file:
        file.write(line[:40])

    assert logged(tmp_path).height == 1


def test_a_table_that_cannot_be_written_keeps_its_requests_for_the_next_start(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("not a table")
    log = InferenceLog(tmp_path / "spool")
    log.start()
    log.append(str(tmp_path / "log"), ONE.request, ONE.body, ONE.answer, 1)
    log.close()
    assert len(list((tmp_path / "spool").rglob("*.jsonl"))) == 1

    (tmp_path / "log").unlink()

    assert logged(tmp_path).height == 1


def test_writing_the_log_keeps_the_front_process_light(tmp_path: Path) -> None:
    spool = Spool.of(tmp_path / "spool", str(tmp_path / "log"))
    line = ONE.line()
    spool.append(line, 1)
    program = (
        "import sys, pathlib; from mlops_assets.serving.inference_log import InferenceLog;"
        f"log = InferenceLog(pathlib.Path({str(tmp_path / 'spool')!r})); log.start(); log.close();"
        "print([name for name in ('pandas', 'pyarrow', 'sklearn') if name in sys.modules])"
    )

    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert output.stdout.strip() == "[]"
    assert pl.read_delta(str(tmp_path / "log")).height == 1


def test_ten_thousand_rows_do_not_wait_for_the_clock(tmp_path: Path) -> None:
    log = InferenceLog(tmp_path / "spool")
    log.start()
    time.sleep(0.1)
    begun = time.monotonic()

    log.append(str(tmp_path / "log"), ONE.request, ONE.body, ONE.answer, 10_000)

    wait_until(lambda: (tmp_path / "log" / "_delta_log").exists(), 4)
    assert time.monotonic() - begun < 4
    log.close()


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
def test_no_row_is_lost_to_sigterm_or_to_a_kill_and_a_restart_serves_the_same(tmp_path: Path, deploy: Deploy) -> None:
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
        wait_until(lambda: pl.read_delta(str(table)).height >= 200)
        with GatewayEndpoints(third.url, token) as endpoints:
            assert endpoints.wait_ready("churn") == before
        gateway_process.stop(tmp_path)

    rows = pl.read_delta(str(table))
    assert sorted(rows["request_id"]) == sorted(ids * 2)
    assert rows["label"].null_count() == 0
    assert (datetime.now(UTC) - rows["time"].min()) < timedelta(minutes=5)
