"""The worker processes of one served entity: as many as are asked for or, scaling, as its load needs."""

import asyncio
import time
from logging import getLogger
from typing import TYPE_CHECKING

from mlops_assets.serving.protocol import ServedEntity
from mlops_assets.serving.signature import Column
from mlops_assets.serving.workers.fork_server_process import ForkServer, WorkerFailedError
from mlops_assets.serving.workers.frames import Frame
from mlops_assets.serving.workers.link import WorkerGone
from mlops_assets.serving.workers.process import Worker

if TYPE_CHECKING:
    from mlops_assets.serving.workers.inline import Inline

# A worker that died is back within this time or the request is refused.
RESTART_SECONDS = 30.0
ATTEMPTS = 2
POLL_SECONDS = 0.02
SCALE_SECONDS = 1.0
# More requests under way per process than this, on average over two seconds in a row, ask for one more.
BUSY = 4
IDLE_SECONDS = 60.0

log = getLogger("mlops_assets.gateway")


def _inline(plan: str) -> "Inline":
    # Not at the top: it needs NumPy, 20 MB that a gateway without linear models does without.
    from mlops_assets.serving.workers.inline import Inline

    return Inline(plan)


class Load:
    """How many requests are under way, and how many were on average since the last look."""

    def __init__(self) -> None:
        self.now = 0
        self._area = 0.0
        self._since = self._looked = time.monotonic()

    def change(self, by: int) -> None:
        """So many more, or fewer, from now on."""
        self._add()
        self.now += by

    def average(self) -> float:
        """The average over time since it was last asked for."""
        self._add()
        seconds = self._since - self._looked
        found = self._area / seconds if seconds else float(self.now)
        self._area, self._looked = 0.0, self._since
        return found

    def _add(self) -> None:
        moment = time.monotonic()
        self._area += self.now * (moment - self._since)
        self._since = moment


class Replicas:
    """The processes behind one version of an endpoint."""

    def __init__(self, entity: ServedEntity, fork_server: ForkServer) -> None:
        self.entity = entity
        self.load = Load()
        self.workers: list[Worker] = []
        self.columns: list[Column] = []
        self._inline: Inline | None = None
        self._fork_server = fork_server
        self._scaler: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()

    @property
    def in_flight(self) -> int:
        """How many requests are under way."""
        return self.load.now

    @property
    def ready(self) -> bool:
        """Whether a process can answer, or one is started by the next request."""
        return any(worker.ready.is_set() for worker in self.workers) or (not self.workers and self._scales_to_zero)

    @property
    def restarts(self) -> int:
        """How many processes have died."""
        return sum(worker.restarts for worker in self.workers)

    async def start(self) -> None:
        """Start the processes that are always there; at least one, which shows that the model loads.

        Raises WorkerFailedError where one does not come up.
        """
        for _ in range(max(1, self.entity.min_replicas)):
            await self._add()
        self.columns, plan = self.workers[0].columns, self.workers[0].plan
        if plan is not None:
            self._inline = await asyncio.to_thread(_inline, plan)
        if self.entity.max_replicas > self.entity.min_replicas:
            self._scaler = asyncio.create_task(self._scale())

    def at_once(self, body: bytes) -> Frame | None:
        """The answer by the plan that is here, without a process; None where one has to be asked."""
        return None if self._inline is None else self._inline.answer(body)

    async def ask(self, body: bytes) -> Frame:
        """The answer of the least busy process. Raises WorkerGone where none could give one.

        Predicting changes nothing, so a request whose process died under it is put once more to another.
        """
        self.load.change(+1)
        try:
            for _ in range(ATTEMPTS):
                worker = await self._one_ready()
                worker.in_flight += 1
                try:
                    return await worker.ask(body)
                except WorkerGone:
                    await asyncio.sleep(2 * POLL_SECONDS)
                finally:
                    worker.in_flight -= 1
        finally:
            self.load.change(-1)
        raise WorkerGone(f"the worker of '{self.entity.name}' is being restarted")

    async def stop(self, drain_seconds: float) -> None:
        """Let running requests end, for at most `drain_seconds`, then end the processes."""
        if self._scaler is not None:
            self._scaler.cancel()
            await asyncio.gather(self._scaler, return_exceptions=True)
        await asyncio.gather(*(worker.stop(drain_seconds) for worker in self.workers))

    @property
    def _scales_to_zero(self) -> bool:
        return self.entity.min_replicas == 0

    async def _add(self) -> None:
        worker = Worker(self.entity, self._fork_server)
        await worker.start()
        self.workers.append(worker)

    async def _one_ready(self) -> Worker:
        deadline = asyncio.get_running_loop().time() + RESTART_SECONDS
        while True:
            ready = [worker for worker in self.workers if worker.ready.is_set()]
            if ready:
                return min(ready, key=lambda worker: worker.in_flight) if len(ready) > 1 else ready[0]
            if not self.workers:
                await self._wake()
            elif asyncio.get_running_loop().time() > deadline:
                raise WorkerGone(f"the worker of '{self.entity.name}' is being restarted")
            else:
                await asyncio.sleep(POLL_SECONDS)

    async def _wake(self) -> None:
        async with self._starting:
            if not self.workers:
                try:
                    await self._add()
                except WorkerFailedError as error:
                    raise WorkerGone(str(error)) from None

    async def _scale(self) -> None:
        busy, idle_since = 0, asyncio.get_running_loop().time()
        while True:
            await asyncio.sleep(SCALE_SECONDS)
            count, now, load = len(self.workers), asyncio.get_running_loop().time(), self.load.average()
            busy = busy + 1 if load > BUSY * count else 0
            if load > count - 1:
                idle_since = now
            if busy > 1 and count < self.entity.max_replicas:
                busy = 0
                try:
                    await self._add()
                except WorkerFailedError as error:
                    log.error("%s stays at %d workers: %s", self.entity.name, count, error)
                    continue
                log.info("%s has %d workers, for %.1f requests", self.entity.name, len(self.workers), load)
            elif now - idle_since > IDLE_SECONDS and count > self.entity.min_replicas:
                idle_since = now
                await self.workers.pop().stop(IDLE_SECONDS)
                log.info("%s has %d workers", self.entity.name, len(self.workers))
