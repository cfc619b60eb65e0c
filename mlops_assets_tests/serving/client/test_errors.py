import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pandas as pd
import pytest

from mlops_assets.serving import EndpointCredentials, TabularModelClient
from mlops_assets.serving.client.signature import check_rows
from mlops_assets.serving.errors import (
    DeadlineExceeded,
    EndpointUnavailable,
    InvalidInput,
    NotAuthorized,
    ServingError,
    Throttled,
)
from mlops_assets.serving.signature import Column

ROWS = pd.DataFrame({"x": [1.0, 2.0]}, index=["a", "b"])


@contextmanager
def server(status: int, body: bytes, seconds: float = 0) -> Iterator[str]:
    """A server that answers every request the same, after some time."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(501)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            time.sleep(seconds)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.server_port}"
        finally:
            listening.shutdown()
            thread.join()


def client(url: str, seconds: float = 10) -> TabularModelClient:
    return TabularModelClient(url, EndpointCredentials(token="t"), timeout_seconds=seconds)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, b'{"error_code": "BAD_REQUEST", "message": "no"}', InvalidInput),
        (401, b"", NotAuthorized),
        (403, b'{"error_code": "PERMISSION_DENIED", "message": "no"}', NotAuthorized),
        (429, b'{"error_code": "REQUEST_LIMIT_EXCEEDED", "message": "slow down"}', Throttled),
        (500, b'{"error_code": "INTERNAL_ERROR", "message": "no"}', EndpointUnavailable),
        (502, b"<html><title>Bad Gateway</title></html>", EndpointUnavailable),
        (503, b'{"error_code": "TEMPORARILY_UNAVAILABLE", "message": "later"}', EndpointUnavailable),
        (504, b'{"error_code": "DEADLINE_EXCEEDED", "message": "late"}', DeadlineExceeded),
        (200, b"<html>log in first</html>", EndpointUnavailable),
        (200, b"{}", EndpointUnavailable),
        (200, b"[]", EndpointUnavailable),
        (200, b'{"predictions": [1]}', EndpointUnavailable),
    ],
)
def test_what_a_server_answers_is_the_error_a_caller_can_act_on(
    status: int, body: bytes, error: type[ServingError]
) -> None:
    with server(status, body) as url, pytest.raises(ServingError) as raised:
        client(url).predict("churn", ROWS)

    assert type(raised.value) is error


def test_an_answer_that_comes_too_late_is_the_deadline() -> None:
    with server(200, b"{}", seconds=0.6) as url, pytest.raises(DeadlineExceeded, match=r"within 0\.3 s"):
        client(url, 0.3).predict("churn", ROWS)


def test_plain_values_as_other_models_answer_them_are_predictions_too() -> None:
    with server(200, b'{"predictions": [0, 1]}') as url:
        predictions = client(url).predict("churn", ROWS)

    pd.testing.assert_frame_equal(predictions, pd.DataFrame({"prediction": [0, 1]}, index=["a", "b"]))


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (pd.DataFrame({"n": [1.0, float("inf")]}), "field 'n': row 1 is a float, the model takes a long"),
        (pd.DataFrame({"n": [1, Decimal("1.5")]}), "field 'n': row 1 is a Decimal, the model takes a long"),
        (pd.DataFrame({"n": [10**400, 2.0]}, dtype=object), ""),
    ],
)
def test_what_is_no_whole_number_is_refused_by_the_columns_name(rows: pd.DataFrame, told: str) -> None:
    with nullcontext() if not told else pytest.raises(InvalidInput, match=told):
        check_rows(rows, [Column("n", "long", True)])


def test_rows_without_a_column_are_refused_as_input() -> None:
    with pytest.raises(InvalidInput, match="3 rows without a column"):
        client("http://127.0.0.1:9").predict("churn", pd.DataFrame(index=range(3)))
