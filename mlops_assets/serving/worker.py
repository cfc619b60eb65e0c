"""The process behind one served entity: loads the model once, answers `/invocations` for its gateway.

`python -m mlops_assets.serving.worker` reads one line of JSON from standard input (model path, listening
socket, key), writes one line to standard output (ready, or the error that prevented it) and ends when its
input ends, so no worker outlives its gateway.
"""

import json
import os
import socket
import sys
import threading
import traceback
from asyncio import get_running_loop
from concurrent.futures import ThreadPoolExecutor
from hmac import compare_digest
from typing import TYPE_CHECKING, Any, TextIO

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mlops_assets.serving.payload import PayloadError, error_body, parse, table
from mlops_assets.serving.signature import SignatureError

if TYPE_CHECKING:
    from mlops_assets.serving.model import ServedModel

KEY_HEADER = "x-worker-key"
ROWS_HEADER = "x-row-count"


def score(model: "ServedModel", body: bytes) -> Response:
    """The answer to one request's body. A refusal names the field and never repeats a value of the row."""
    import pandas as pd

    try:
        payload = parse(body)
        columns, rows = table(payload, list(model.inputs))
        predictions = model.predict(pd.DataFrame(rows, columns=columns, dtype=object))
    except (PayloadError, SignatureError) as error:
        return _error(400, "INVALID_PARAMETER_VALUE", str(error), error.field)
    except (ValueError, TypeError) as error:
        return _error(400, "BAD_REQUEST", f"The model refused the rows: {_origin(error)}.")
    except Exception as error:  # noqa: BLE001 - the boundary of the process: the caller gets it, the log its place
        return _error(500, "INTERNAL_ERROR", f"The model failed: {_origin(error)}.")
    return Response(_json(predictions), media_type="application/json", headers={ROWS_HEADER: str(len(rows))})


def application(model: "ServedModel", key: str) -> Starlette:
    """The worker's routes. One thread predicts: memory stays that of one request."""
    executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="predict")

    async def invoke(request: Request) -> Response:
        if not compare_digest(request.headers.get(KEY_HEADER, "").encode(), key.encode()):
            return _error(403, "PERMISSION_DENIED", "This process answers its gateway only.")
        return await get_running_loop().run_in_executor(executor, score, model, await request.body())

    return Starlette(routes=[Route("/invocations", invoke, methods=["POST"])])


def main() -> None:
    """Load, say so, serve until standard input ends."""
    report = _take_standard_output()
    order = json.loads(sys.stdin.readline())
    try:
        model = _load(order["model_path"])
    except Exception as error:  # noqa: BLE001 - whatever prevents loading is the deployment's failure message
        traceback.print_exc()
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}), file=report, flush=True)
        sys.exit(1)
    config = uvicorn.Config(
        application(model, order["key"]), access_log=False, log_level="warning", timeout_keep_alive=3600
    )
    server = uvicorn.Server(config)
    threading.Thread(target=_stop_when_input_ends, args=(server,), daemon=True).start()
    print(json.dumps({"inputs": model.inputs}), file=report, flush=True)
    server.run(sockets=[socket.socket(fileno=order["socket"])])


def _load(path: str) -> "ServedModel":
    # skops looks at all of scikit-learn, whose test helpers import pytest if it is there: 6 MB for nothing.
    sys.modules["pytest"] = None  # type: ignore[assignment]
    from mlops_assets.serving.model import load_served_model

    return load_served_model(path)


def _take_standard_output() -> TextIO:
    """Standard output for the report only: what a model prints goes to the log."""
    report = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return report


def _stop_when_input_ends(server: uvicorn.Server) -> None:
    sys.stdin.read()
    server.should_exit = True


def _origin(error: BaseException) -> str:
    """The error's type and the function it came from; its message may quote the row."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__} in {frames[-1].name}" if frames else type(error).__name__


def _error(status: int, code: str, message: str, field: str | None = None) -> Response:
    return Response(error_body(code, message, field), status, media_type="application/json")


def _json(predictions: list[dict[str, Any]]) -> bytes:
    try:
        text = json.dumps({"predictions": predictions}, allow_nan=False, default=str)
    except ValueError:
        text = json.dumps({"predictions": _null_for_nan(predictions)}, allow_nan=False, default=str)
    return text.encode()


def _null_for_nan(value: Any) -> Any:
    if isinstance(value, float) and (value != value or abs(value) == float("inf")):
        return None
    if isinstance(value, dict):
        return {key: _null_for_nan(part) for key, part in value.items()}
    return [_null_for_nan(part) for part in value] if isinstance(value, list) else value


if __name__ == "__main__":
    main()
