"""Logged requests for the tests of the inference log, and the ways into its table."""

import json
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from mlops_assets.serving.inference_log.recording import InferenceLog, LoggedRequest
from mlops_assets.serving.inference_log.rows import table_rows
from mlops_assets.serving.inference_log.spool import Spool, Spooled


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


def json_read(rows: pl.DataFrame) -> list[dict[str, object]]:
    return [{**row, "inputs": json.loads(row["inputs"])} for row in rows.iter_rows(named=True)]


ONE = request({"instances": [{"a": 1}]}, {"predictions": [{"prediction": 1.0}]})

ONE_MORE = request({"instances": [{"a": 1}]}, {"predictions": [{"prediction": 1.0}]}, request_id="r2")
