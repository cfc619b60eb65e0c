"""The typed client of tabular endpoints, the same for the gateway here and for Databricks: async, and sync over it."""

import asyncio
import os
import re
import threading
from collections.abc import Coroutine
from functools import cache
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from mlops_assets.serving.client.credentials import EndpointCredentials
from mlops_assets.serving.client.encoding import MAX_BYTES, MAX_ROWS, Chunk, chunks, column_names
from mlops_assets.serving.client.signature import SignatureCache, check_rows
from mlops_assets.serving.client.transport import Deadline, Transport
from mlops_assets.serving.errors import EndpointUnavailable, InvalidInput

if TYPE_CHECKING:
    import pandas

DEFAULT_TIMEOUT_SECONDS = 60.0
CONNECTIONS = 8
ENDPOINT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
Answer = TypeVar("Answer")
_STARTING = threading.Lock()


class AsyncTabularModelClient:
    """Predictions for pandas frames from named endpoints of one workspace or gateway, in one event loop at a time."""

    def __init__(
        self,
        workspace_url: str,
        credentials: EndpointCredentials,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        *,
        connections: int = CONNECTIONS,
        max_rows: int = MAX_ROWS,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        """Connect nothing yet. `timeout_seconds` bounds a whole call of `predict`, its retries included.

        At most `connections` requests are on their way at once, each with at most `max_rows` and `max_bytes`.
        Raises ValueError for a workspace_url that would send a token over plain http to another machine.
        """
        self._config = credentials.sdk_config(workspace_url, timeout_seconds)
        self._timeout_seconds, self._connections = timeout_seconds, connections
        self._max_rows, self._max_bytes = max_rows, max_bytes
        self._transport = Transport(self._config, connections)
        self._signatures = SignatureCache(self._transport)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._config.host!r}, auth_type={self._config.auth_type!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()

    async def predict(self, endpoint_name: str, features: "pandas.DataFrame") -> "pandas.DataFrame":
        """A row per row of `features`, with its index: `prediction` and, for classifiers, `probability`.

        Large frames are sent in several requests. Raises a ServingError: EndpointNotFound, NotAuthorized,
        InvalidInput (with the field), Throttled, EndpointUnavailable or DeadlineExceeded.
        """
        import pandas as pd

        checked_endpoint(endpoint_name)
        names = column_names(features)
        if len(features) and not names:
            raise InvalidInput(f"{len(features)} rows without a column: there is nothing to predict from.")
        if features.empty:
            return pd.DataFrame({"prediction": [], "probability": []}, index=features.index, dtype="float64")
        until = Deadline(self._timeout_seconds)
        await self._signatures.check(endpoint_name, until, lambda inputs: check_rows(features, inputs))
        answered = await self._ask(endpoint_name, features, until)
        return pd.DataFrame([row for part in answered for row in part], index=features.index)

    async def _ask(self, endpoint: str, features: "pandas.DataFrame", until: Deadline) -> list[list[dict[str, Any]]]:
        """The answers to the chunks, in order; only the chunks in flight are held as text."""
        parts = chunks(features, max_rows=self._max_rows, max_bytes=self._max_bytes)
        answers: dict[int, list[dict[str, Any]]] = {}
        numbered = enumerate(parts)

        async def work() -> None:
            for place, chunk in numbered:
                answers[place] = await self._query(endpoint, chunk, until)

        await _all(work() for _ in range(self._connections))
        return [answers[place] for place in sorted(answers)]

    async def _query(self, endpoint: str, chunk: Chunk, until: Deadline) -> list[dict[str, Any]]:
        path = f"/serving-endpoints/{endpoint}/invocations"
        answer = await self._transport.send(endpoint, "POST", path, until, chunk.body)
        found = answer.get("predictions") if isinstance(answer, dict) else None
        if not isinstance(found, list):
            raise EndpointUnavailable(f"'{endpoint}' answered JSON without a list of predictions.")
        if len(found) != chunk.rows:
            raise EndpointUnavailable(f"'{endpoint}' gave {len(found)} predictions for {chunk.rows} rows.")
        return [item if isinstance(item, dict) else {"prediction": item} for item in found]


async def _all(jobs: Any) -> None:
    """Run jobs at once; the first error ends the others and is raised as itself."""
    try:
        async with asyncio.TaskGroup() as group:
            for job in jobs:
                group.create_task(job)
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None


def checked_endpoint(name: str) -> str:
    """The name of an endpoint, which becomes part of a path. Raises InvalidInput for any other text."""
    if not ENDPOINT_NAME.fullmatch(name):
        raise InvalidInput(f"{name!r} is no endpoint name: at most 63 letters, digits, - and _.")
    return name


class TabularModelClient:
    """Predictions for pandas frames from named endpoints of one workspace or gateway.

    Works in any thread, inside a running event loop (a notebook) too: requests run on a loop of their own.
    """

    def __init__(
        self,
        workspace_url: str,
        credentials: EndpointCredentials,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        **limits: int,
    ) -> None:
        """Connect nothing yet; the arguments are those of AsyncTabularModelClient."""
        self._client = AsyncTabularModelClient(workspace_url, credentials, timeout_seconds, **limits)

    def __repr__(self) -> str:
        return repr(self._client).removeprefix("Async")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        wait_for(self._client.close())

    def predict(self, endpoint_name: str, features: "pandas.DataFrame") -> "pandas.DataFrame":
        """A row per row of `features`, with its index: `prediction` and, for classifiers, `probability`.

        Large frames are sent in several requests. Raises a ServingError: EndpointNotFound, NotAuthorized,
        InvalidInput (with the field), Throttled, EndpointUnavailable or DeadlineExceeded.
        """
        return wait_for(self._client.predict(endpoint_name, features))


def wait_for(call: Coroutine[Any, Any, Answer]) -> Answer:
    """The result of a coroutine, run on this process's loop for clients."""
    with _STARTING:  # threads whose first calls meet would each start a loop
        loop = _loop(os.getpid())
    return asyncio.run_coroutine_threadsafe(call, loop).result()


@cache
def _loop(process: int) -> asyncio.AbstractEventLoop:
    """A loop in a thread that ends with its process; a forked process has its own."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="serving-client", daemon=True).start()
    return loop
