"""The gateway's handle on one worker process: start it, start another when it dies, drain it."""

import asyncio
import json
import os
import signal
from logging import getLogger

from mlops_assets.serving.protocol import ServedEntity
from mlops_assets.serving.signature import Column
from mlops_assets.serving.workers.fork_server_process import ForkServer, WorkerFailedError
from mlops_assets.serving.workers.frames import Frame
from mlops_assets.serving.workers.link import WorkerGone, WorkerLink

START_SECONDS = 120.0
STOP_SECONDS = 10.0
MAX_RESTART_DELAY = 30.0
STABLE_SECONDS = 60.0

log = getLogger("mlops_assets.gateway")


class Worker:
    """One process of a served entity; where it dies another takes its place."""

    def __init__(self, entity: ServedEntity, fork_server: ForkServer) -> None:
        self.entity = entity
        self.ready = asyncio.Event()
        self.in_flight = 0
        self.restarts = 0
        self.columns: list[Column] = []
        self.pid: int | None = None
        self.plan: str | None = None
        self._fork_server = fork_server
        self._link: WorkerLink | None = None
        self._keeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the process, wait until it serves and keep it running. Raises WorkerFailedError."""
        try:
            await self._launch()
        except BaseException:
            await self._end()
            raise
        self._keeper = asyncio.create_task(self._keep_running())

    async def ask(self, body: bytes) -> Frame:
        """The worker's answer. Raises WorkerGone where it ended first."""
        if self._link is None:
            raise WorkerGone("the worker has not started")
        return await self._link.ask(body)

    async def stop(self, drain_seconds: float) -> None:
        """Let running requests end, for at most `drain_seconds`, then end the process."""
        if self._keeper is not None:
            self._keeper.cancel()
        deadline = asyncio.get_running_loop().time() + drain_seconds
        while self.in_flight and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.02)
        self.ready.clear()
        await self._end()

    async def _launch(self) -> None:
        loop = asyncio.get_running_loop()
        connection, self.pid = await self._fork_server.fork(self.entity)
        _, link = await loop.create_unix_connection(WorkerLink, sock=connection)
        self._link = link
        try:
            async with asyncio.timeout(START_SECONDS):
                first = await link.report
        except TimeoutError:
            raise WorkerFailedError(
                f"{self.entity.name}: the worker did not load the model within {START_SECONDS:.0f} s"
            ) from None
        except WorkerGone:
            raise WorkerFailedError(f"{self.entity.name}: the worker ended while it loaded; see the log") from None
        report = json.loads(first.body)
        if "error" in report:
            raise WorkerFailedError(f"{self.entity.name}: {report['error']}")
        self.columns, self.plan = [Column(*each) for each in report["columns"]], report["plan"]
        self.ready.set()
        log.info("worker %s serves %s (%s)", self.pid, self.entity.name, report["how"])

    async def _keep_running(self) -> None:
        delay = 0.0
        while True:
            assert self._link is not None
            begun = asyncio.get_running_loop().time()
            await asyncio.shield(self._link.gone)
            self.ready.clear()
            if asyncio.get_running_loop().time() - begun > STABLE_SECONDS:
                delay = 0.0
            log.warning("worker %s of %s has ended; starting another", self.pid, self.entity.name)
            await asyncio.sleep(delay)
            delay = min(MAX_RESTART_DELAY, 2 * delay + 0.5)
            self.restarts += 1
            try:
                await self._launch()
            except (WorkerFailedError, OSError) as error:
                log.error("worker of %s did not come back: %s", self.entity.name, error)
                await self._end()

    async def _end(self) -> None:
        """Close the socket, which ends the process; kill it where it is busy and does not see that."""
        link = self._link
        if link is None or not link.alive:
            return
        link.close()
        if self.pid is None:
            return
        deadline = asyncio.get_running_loop().time() + STOP_SECONDS
        while _exists(self.pid):
            if asyncio.get_running_loop().time() > deadline:
                os.kill(self.pid, signal.SIGKILL)
                return
            await asyncio.sleep(0.02)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
