"""The process behind one served entity: loads the model once, then answers its gateway's requests in batches.

Batches are adaptive: what has arrived while one batch was predicted is the next. A single request waits for
nobody, and many at a time share scikit-learn's fixed cost per call. The process ends with its socket, so no
worker outlives its gateway.
"""

import json
import socket
import sys
import traceback
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mlops_assets.serving.payload import PayloadError, Table, error_body, parse, predictions_body, table
from mlops_assets.serving.signature import SignatureError
from mlops_assets.serving.workers.frames import Frame, packed, take

if TYPE_CHECKING:
    from mlops_assets.serving.model import ServedModel

MAX_BATCH_ROWS = 1024
_RECEIVED = 1 << 20


def run_worker(link: socket.socket, model_path: str, onnx_path: str | None = None) -> None:
    """Load, say so, answer until the other end closes; the estimator is the graph where there is one."""
    try:
        model = _load(model_path, onnx_path)
    except Exception as error:  # noqa: BLE001 - whatever prevents loading is the deployment's failure message
        traceback.print_exc()
        link.sendall(_report(500, {"error": f"{type(error).__name__}: {error}"}))
        return
    print(f"{datetime.now(UTC).isoformat(timespec='seconds')} serves {model_path} ({model.how})", file=sys.stderr)
    link.sendall(_report(200, {"columns": model.columns, "how": model.how, "plan": _portable(model)}))
    buffer = bytearray()
    while received := link.recv(_RECEIVED):
        buffer += received
        if frames := take(buffer):
            link.sendall(b"".join(map(packed, answers(model, frames))))


def answers(model: "ServedModel", requests: Sequence[Frame]) -> list[Frame]:
    """An answer a request, in order. A refusal names the field and never repeats a value of the row."""
    given: dict[int, Frame] = {}
    tables: dict[int, Table] = {}
    for place, request in enumerate(requests):
        try:
            tables[place] = table(parse(request.body), list(model.inputs))
        except PayloadError as error:
            given[place] = _refused(request.number, error.field, str(error))
    for batch in _batches(tables, MAX_BATCH_ROWS if model.together else 0):
        given |= _predicted(model, requests, batch)
    return [given[place] for place in range(len(requests))]


def _batches(tables: dict[int, Table], most_rows: int) -> list[dict[int, Table]]:
    """Tables that can be one: the same columns, and not too many rows; each alone where 0 are the most."""
    batches: list[dict[int, Table]] = []
    rows = 0
    for place, found in tables.items():
        last = next(reversed(batches[-1].values())) if batches else None
        if last is None or last.columns != found.columns or rows + len(found.rows) > most_rows:
            batches.append({})
            rows = 0
        batches[-1][place] = found
        rows += len(found.rows)
    return batches


def _predicted(model: "ServedModel", requests: Sequence[Frame], batch: dict[int, Table]) -> dict[int, Frame]:
    """A batch's answers; where one request spoils it, each is asked alone, so that only that one is refused."""
    try:
        columns = next(iter(batch.values())).columns
        predictions = model.answer(columns, [row for found in batch.values() for row in found.rows])
    except Exception as error:  # noqa: BLE001 - the boundary of the process: the caller gets it, the log its place
        if len(batch) > 1:
            alone = [_predicted(model, requests, {place: found}) for place, found in batch.items()]
            return {place: frame for each in alone for place, frame in each.items()}
        ((place, found),) = batch.items()
        return {place: _failed(requests[place].number, error, _nulls(model, found))}
    given, start = {}, 0
    for place, found in batch.items():
        end = start + len(found.rows)
        given[place] = Frame(requests[place].number, 200, len(found.rows), predictions_body(predictions[start:end]))
        start = end
    return given


def _load(path: str, onnx_path: str | None) -> "ServedModel":
    from mlops_assets.serving.model import load_served_model
    from mlops_assets.serving.plan.proof import with_proven_plan

    if onnx_path is None:
        return with_proven_plan(load_served_model(path))
    from mlops_assets.serving.onnx import with_onnx

    model = with_proven_plan(with_onnx(load_served_model(path), onnx_path))
    return replace(model, how=f"ONNX Runtime; {model.how}")


def _portable(model: "ServedModel") -> str | None:
    """The plan as JSON, for the gateway's process; None if there is no plan or it is not plain data."""
    from mlops_assets.serving.plan.pipeline import LinearPlan

    return model.plan.model_dump_json() if isinstance(model.plan, LinearPlan) and model.plan.small else None


def _report(status: int, content: dict[str, Any]) -> bytes:
    return packed(Frame(0, status, 0, json.dumps(content).encode()))


def _nulls(model: "ServedModel", found: Table) -> list[str]:
    """The model's columns that hold a null."""
    empty = {found.columns[place] for row in found.rows for place, value in enumerate(row) if value is None}
    return [name for name in model.inputs if name in empty]


def _failed(number: int, error: Exception, nulls: Sequence[str]) -> Frame:
    """The answer to rows that could not be predicted; a null is what models without an imputer refuse most."""
    if isinstance(error, SignatureError):
        return _refused(number, error.field, str(error))
    if isinstance(error, (ValueError, TypeError)):
        hint = f"; there is a null in {', '.join(nulls)}" if nulls else ""
        body = error_body("BAD_REQUEST", f"The model refused the rows: {_origin(error)}{hint}.", *nulls[:1])
        return Frame(number, 400, 0, body)
    traceback.print_tb(error.__traceback__, file=sys.stderr)
    return Frame(number, 500, 0, error_body("INTERNAL_ERROR", f"The model failed: {_origin(error)}."))


def _refused(number: int, field: str, message: str) -> Frame:
    return Frame(number, 400, 0, error_body("INVALID_PARAMETER_VALUE", message, field))


def _origin(error: BaseException) -> str:
    """The error's type and the function it came from; its message may quote the row."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__} in {frames[-1].name}" if frames else type(error).__name__
