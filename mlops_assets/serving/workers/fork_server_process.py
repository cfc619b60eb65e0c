"""The gateway's handle on its fork server: started with the first order, and again where it has died."""

import asyncio
import json
import os
import site
import socket
import sys
from asyncio.subprocess import Process
from pathlib import Path

import mlops_assets
from mlops_assets.serving.protocol import ServedEntity
from mlops_assets.serving.workers.fork_server import PID

# The gateway's share of a process that is asked one row at a time; `threads` of a served entity lifts it.
ONE_THREAD = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"), "1"),
    "MALLOC_ARENA_MAX": "2",
}


class WorkerFailedError(RuntimeError):
    """A worker did not get as far as serving; the message is what it said itself."""


class ForkServer:
    """The process that forks a gateway's workers."""

    def __init__(self, logs: Path) -> None:
        """Workers print into a file of their served entity's name in the folder `logs`."""
        self._logs = logs
        self._process: Process | None = None
        self._orders: socket.socket | None = None
        self._one_at_a_time = asyncio.Lock()

    async def fork(self, entity: ServedEntity) -> tuple[socket.socket, int]:
        """Our end of the socket to a new worker, which is still loading, and its pid. Raises WorkerFailedError."""
        ours, theirs = socket.socketpair()
        order = {
            "model_path": entity.model_path,
            "onnx_path": entity.onnx_path,
            "environment": entity.environment_vars,
            "threads": entity.threads,
            "log": str(self._logs / f"{entity.name}.log"),
        }
        try:
            async with self._one_at_a_time:
                pid = await self._send(json.dumps(order).encode() + b"\n", theirs.fileno())
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        ours.setblocking(False)
        return ours, pid

    async def close(self) -> None:
        """End the process by closing its input."""
        if self._orders is not None:
            self._orders.close()
            self._orders = None
        if self._process is not None:
            await self._process.wait()

    async def _send(self, order: bytes, descriptor: int) -> int:
        if self._process is None or self._process.returncode is not None:
            await self._start()
        orders, loop = self._orders, asyncio.get_running_loop()
        assert orders is not None
        try:
            sent = socket.send_fds(orders, [order], [descriptor])
            await loop.sock_sendall(orders, order[sent:])
            answer = await loop.sock_recv(orders, PID.size)
        except OSError:
            answer = b""
        if len(answer) != PID.size:
            assert self._process is not None
            code = await self._process.wait()
            raise WorkerFailedError(f"the process that starts workers ended with code {code}; see the gateway's log")
        return int(PID.unpack(answer)[0])

    async def _start(self) -> None:
        if self._orders is not None:
            self._orders.close()
        self._logs.mkdir(parents=True, exist_ok=True)
        self._orders, theirs = socket.socketpair()
        self._orders.setblocking(False)
        with theirs:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "mlops_assets.serving.workers.fork_server", str(theirs.fileno())),
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                env={**os.environ, **package_path(), **ONE_THREAD},
                start_new_session=True,
            )


def package_path() -> dict[str, str]:
    """PYTHONPATH so that a child process finds this package where it is not installed."""
    root = str(Path(mlops_assets.__file__).parents[1])
    if root in (*site.getsitepackages(), site.getusersitepackages()):
        return {}
    return {"PYTHONPATH": os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))}
