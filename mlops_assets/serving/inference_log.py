"""Every request's rows and predictions in its endpoint's Delta inference table, written behind the answers.

One row per row of a request, with the columns of COLUMNS; `request_id` with `row` is unique. `prediction` is
the number predicted (a boolean is 0 or 1), null where a label is no number; `label` is a classifier's label
as text; `inputs` is the row as JSON, without an endpoint's dropped columns and with a keyed hash for its hashed
ones. A request that was refused has its status, and one row with null inputs where its body is no table.
"""

import json
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from logging import getLogger
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_assets.serving.payload import PayloadError, parse, table
from mlops_assets.serving.spool import Spool, lines_of, number_of

if TYPE_CHECKING:
    import polars

FLUSH_SECONDS = 5.0
FLUSH_ROWS = 10_000
SYNC_SECONDS = 1.0
MAX_RETRY_SECONDS = 60.0
COLUMNS = {
    "request_id": "String",
    "row": "Int32",
    "client_request_id": "String",
    "time": "Datetime",
    "endpoint": "String",
    "version": "String",
    "served_model_name": "String",
    "latency_ms": "Float64",
    "status_code": "Int32",
    "inputs": "String",
    "prediction": "Float64",
    "label": "String",
    "probability": "Float64",
}

_TO_SPACES = bytes.maketrans(b"\t\n\r", b"   ")

log = getLogger("mlops_assets.gateway")


@dataclass(frozen=True)
class LoggedRequest:
    """What is spooled of an answered request beside body and answer; `columns` only for values by position."""

    request_id: str
    time_us: int
    endpoint: str
    version: str | None
    served_model_name: str | None
    latency_ms: float
    status_code: int
    columns: list[str] | None = None
    hashed: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()

    def line(self, body: bytes, answer: bytes) -> bytes:
        """A spool's line: these facts, the body and the answer, with tabs between.

        JSON has tabs and line breaks only where they mean nothing.
        """
        return b"\t".join((json.dumps(vars(self)).encode(), body.translate(_TO_SPACES), answer.translate(_TO_SPACES)))


class InferenceLog:
    """The spools of a gateway and the thread that empties them."""

    def __init__(self, root: Path, hash_key: bytes = b"") -> None:
        self.lost = 0
        self._hash_key = hash_key
        self._root = root
        self._spools: dict[str, Spool] = {}
        self._wake = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="inference-log", daemon=True)

    def start(self) -> None:
        """Take up what an earlier gateway left, and begin."""
        self._spools = {spool.table: spool for spool in Spool.left_in(self._root)}
        self._thread.start()

    def append(self, table_path: str, request: LoggedRequest, body: bytes, answer: bytes, rows: int) -> None:
        """Put a request of `rows` rows on its way to the table; where the disk refuses, the answer still goes out."""
        spool = self._spools.get(table_path)
        if spool is None:
            spool = self._spools[table_path] = Spool.of(self._root, table_path)
        try:
            spool.append(request.line(body, answer), rows)
        except OSError as error:
            self.lost += 1
            log.error("a request of %s is not logged: %s", request.endpoint, error)
        if spool.rows >= FLUSH_ROWS:
            self._wake.set()

    def close(self) -> None:
        """Write what is left and end; what cannot be written stays spooled for the next start."""
        self._closing = True
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        flush_at = time.monotonic()
        pause = FLUSH_SECONDS
        while True:
            closing = self._closing
            if closing or self._wake.is_set() or time.monotonic() >= flush_at:
                self._wake.clear()
                failed = sum(not self._flush(spool) for spool in list(self._spools.values()))
                pause = min(MAX_RETRY_SECONDS, 2 * pause) if failed else FLUSH_SECONDS
                flush_at = time.monotonic() + pause
            if closing:
                return
            self._wake.wait(SYNC_SECONDS)
            for spool in list(self._spools.values()):
                spool.sync()

    def _flush(self, spool: Spool) -> bool:
        try:
            for segment in spool.seal():
                _commit(spool, segment, self._hash_key)
                segment.unlink()
        except Exception:
            # What stops a table from being written (disk, permissions, schema) must not stop the answers:
            # the segments stay, and are tried again.
            log.exception("inference table %s cannot be written; requests wait in %s", spool.table, spool.folder)
            return False
        return True


def rows_of(line: bytes, hash_key: bytes = b"") -> Iterator[dict[str, Any]]:
    """The inference table's rows of one spooled request."""
    facts, body, answer = line.rstrip(b"\n").split(b"\t")
    request: dict[str, Any] = json.loads(facts)
    payload, inputs = _inputs(request, body)
    predictions = json.loads(answer)["predictions"] if request["status_code"] == 200 else [{}] * len(inputs)
    masked = request["hashed"] or request["dropped"]
    shared = {
        "request_id": request["request_id"],
        "client_request_id": _text(payload.get("client_request_id")),
        "time": request["time_us"],
        **{name: request[name] for name in ("endpoint", "version", "served_model_name")},
        **{name: request[name] for name in ("latency_ms", "status_code")},
    }
    for row, (cells, prediction) in enumerate(zip(inputs, predictions, strict=True)):
        value = prediction.get("prediction")
        yield {
            **shared,
            "row": row,
            "inputs": None if cells is None else json.dumps(_masked(cells, request, hash_key) if masked else cells),
            "prediction": float(value) if isinstance(value, (int, float)) else None,
            "label": _text(value) if "probability" in prediction or isinstance(value, (str, bool)) else None,
            "probability": prediction.get("probability"),
        }


def frame_of(rows: Iterable[Mapping[str, Any]]) -> "polars.DataFrame":
    """The inference table's columns. Polars, because pyarrow imports pandas with its first array."""
    import polars as pl

    types = {
        name: pl.Datetime("us", "UTC") if kind == "Datetime" else getattr(pl, kind) for name, kind in COLUMNS.items()
    }
    return pl.DataFrame(list(rows), schema=types)


def _commit(spool: Spool, segment: Path, hash_key: bytes = b"") -> None:
    """Append a segment's rows to the table unless this very segment is its spool's last commit."""
    from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake

    exists = DeltaTable.is_deltatable(spool.table)
    if exists and DeltaTable(spool.table).transaction_version(spool.app_id) == number_of(segment):
        return
    frame = frame_of(row for line in lines_of(segment) for row in rows_of(line, hash_key))
    if not frame.is_empty():
        write_deltalake(
            spool.table,
            frame,
            mode="append",
            commit_properties=CommitProperties(
                app_transactions=[Transaction(app_id=spool.app_id, version=number_of(segment))]
            ),
        )


def _masked(cells: Mapping[str, Any], request: Mapping[str, Any], key: bytes) -> dict[str, Any]:
    """The row without its dropped columns; a hashed one keeps only whether two values are equal."""
    return {
        name: _hashed(value, key) if name in request["hashed"] and value is not None else value
        for name, value in cells.items()
        if name not in request["dropped"]
    }


def _hashed(value: Any, key: bytes) -> str:
    return blake2b(json.dumps(value).encode(), key=key, digest_size=16).hexdigest()


def _inputs(request: Mapping[str, Any], body: bytes) -> tuple[dict[str, Any], list[dict[str, Any] | None]]:
    """The request's JSON object and its rows; a single None where the body is no table."""
    payload: dict[str, Any] = {}
    try:
        payload = parse(body)
        columns, rows = table(payload, request["columns"] or [])
    except PayloadError:
        return payload, [None]
    return payload, [dict(zip(columns, row, strict=True)) for row in rows]


def _text(value: Any) -> str | None:
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode(errors="replace").decode()
