"""The gateway's handle on one worker process: start it, wait for it, restart it when it dies, drain it."""

import asyncio
import json
import os
import secrets
import site
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from logging import getLogger
from pathlib import Path

import mlops_assets
from mlops_assets.serving.protocol import ServedEntity

START_SECONDS = 120.0
STOP_SECONDS = 10.0
MAX_RESTART_DELAY = 30.0
STABLE_SECONDS = 60.0
# One row at a time leaves other threads nothing to do but hold memory.
ONE_THREAD = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"), "1"),
    "MALLOC_ARENA_MAX": "2",
}

log = getLogger("mlops_assets.gateway")


class WorkerFailedError(RuntimeError):
    """A worker did not get as far as serving; the message is what it said itself."""


class Worker:
    """One served entity's process.

    Its listening socket belongs to the gateway, so requests that arrive while a dead process is replaced
    wait in the socket's queue instead of being refused.
    """

    def __init__(self, entity: ServedEntity) -> None:
        self.entity = entity
        self.key = secrets.token_urlsafe(16)
        self.ready = asyncio.Event()
        self.in_flight = 0
        self.restarts = 0
        self.columns: list[str] = []
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=512)
        self._process: Process | None = None
        self._keeper: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where the gateway sends this worker's requests."""
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}/invocations"

    @property
    def pid(self) -> int | None:
        """The process id, None before the first start."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Start the process, wait until it serves and keep it running. Raises WorkerFailedError."""
        try:
            await self._launch()
        except BaseException:
            await self._end_process()
            self._socket.close()
            raise
        self._keeper = asyncio.create_task(self._keep_running())

    async def stop(self, drain_seconds: float) -> None:
        """Let running requests end, for at most `drain_seconds`, then end the process."""
        if self._keeper is not None:
            self._keeper.cancel()
        deadline = asyncio.get_running_loop().time() + drain_seconds
        while self.in_flight and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.02)
        self.ready.clear()
        await self._end_process()
        self._socket.close()

    async def _launch(self) -> None:
        descriptor = self._socket.fileno()
        self._process = process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "mlops_assets.serving.worker"),
            stdin=PIPE,
            stdout=PIPE,
            pass_fds=(descriptor,),
            env=worker_environment(self.entity.environment_vars),
            start_new_session=True,
        )
        order = {"model_path": self.entity.model_path, "socket": descriptor, "key": self.key}
        assert process.stdin is not None
        process.stdin.write(json.dumps(order).encode() + b"\n")
        await self._wait_until_it_serves(process)
        self.ready.set()
        log.info("worker %s serves %s", process.pid, self.entity.name)

    async def _wait_until_it_serves(self, process: Process) -> None:
        assert process.stdout is not None
        try:
            async with asyncio.timeout(START_SECONDS):
                line = await process.stdout.readline()
        except TimeoutError:
            raise WorkerFailedError(
                f"{self.entity.name}: the worker did not load the model within {START_SECONDS:.0f} s"
            ) from None
        if not line:
            code = await process.wait()
            raise WorkerFailedError(f"{self.entity.name}: the worker ended with {_ending(code)} while it loaded")
        try:
            report = json.loads(line)
        except ValueError:
            raise WorkerFailedError(f"{self.entity.name}: the worker's report is not JSON") from None
        if "error" in report:
            raise WorkerFailedError(f"{self.entity.name}: {report['error']}")
        self.columns = list(report["inputs"])

    async def _keep_running(self) -> None:
        delay = 0.0
        while True:
            assert self._process is not None
            begun = asyncio.get_running_loop().time()
            code = await self._process.wait()
            self.ready.clear()
            if asyncio.get_running_loop().time() - begun > STABLE_SECONDS:
                delay = 0.0
            log.warning("worker of %s ended with %s; starting another", self.entity.name, _ending(code))
            await asyncio.sleep(delay)
            delay = min(MAX_RESTART_DELAY, 2 * delay + 0.5)
            self.restarts += 1
            try:
                await self._launch()
            except (WorkerFailedError, OSError) as error:
                log.error("worker of %s did not come back: %s", self.entity.name, error)
                await self._end_process()

    async def _end_process(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def worker_environment(own: Mapping[str, str]) -> dict[str, str]:
    """The gateway's environment, one thread per numeric library, then the served entity's own."""
    return {**os.environ, **package_path(), **ONE_THREAD, **own}


def package_path() -> dict[str, str]:
    """PYTHONPATH so that a child process finds this package where it is not installed."""
    root = str(Path(mlops_assets.__file__).parents[1])
    if root in (*site.getsitepackages(), site.getusersitepackages()):
        return {}
    return {"PYTHONPATH": os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))}


def _ending(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
