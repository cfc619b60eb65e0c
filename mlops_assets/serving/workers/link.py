"""The gateway's end of a worker's socket: many requests under way, each answered by its number."""

import asyncio
from itertools import count
from typing import cast

from mlops_assets.serving.workers.frames import Frame, packed, take


class WorkerGone(ConnectionError):
    """The worker ended before it had answered."""


class WorkerLink(asyncio.Protocol):
    """Requests out, answers in; `report` is the worker's first message."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.report: asyncio.Future[Frame] = loop.create_future()
        self.gone: asyncio.Future[None] = loop.create_future()
        self._loop = loop
        self._buffer = bytearray()
        self._numbers = count(1)
        self._waiting: dict[int, asyncio.Future[Frame]] = {0: self.report}
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        """Hand each answer to who waits for it; whoever gave up waiting is not there."""
        self._buffer += data
        for frame in take(self._buffer):
            waiting = self._waiting.pop(frame.number, None)
            if waiting is not None and not waiting.done():
                waiting.set_result(frame)

    def connection_lost(self, error: Exception | None) -> None:
        """Tell everyone who waits."""
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(WorkerGone("the worker ended"))
        self._waiting.clear()
        if self.report.done():
            self.report.exception()  # retrieved, so that asyncio does not log it as never retrieved
        self.gone.set_result(None)

    @property
    def alive(self) -> bool:
        """Whether the worker is there."""
        return not self.gone.done()

    async def ask(self, body: bytes) -> Frame:
        """The answer to one request's body. Raises WorkerGone."""
        if self.gone.done() or self._transport is None:
            raise WorkerGone("the worker ended")
        number = next(self._numbers) & 0xFFFFFFFF
        waiting: asyncio.Future[Frame] = self._loop.create_future()
        self._waiting[number] = waiting
        self._transport.write(packed(Frame(number, 0, 0, body)))
        try:
            return await waiting
        finally:
            self._waiting.pop(number, None)

    def close(self) -> None:
        """Let the worker end."""
        if self._transport is not None:
            self._transport.close()
