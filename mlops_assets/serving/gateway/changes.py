"""Changes of a gateway's endpoints: what is new is started, swapped in in one step, and what is old drained.

No request fails by a change. A change that fails leaves what was served, its settings included.
"""

import asyncio
import time
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from logging import getLogger
from typing import Any

from mlops_assets.serving.gateway.endpoint_state import Endpoint, serving_of
from mlops_assets.serving.gateway.files import GatewayHome, write_atomically
from mlops_assets.serving.protocol import EndpointConfig, Settings
from mlops_assets.serving.workers.fork_server_process import ForkServer, WorkerFailedError
from mlops_assets.serving.workers.replicas import Replicas

log = getLogger("mlops_assets.gateway")


@dataclass
class Changes:
    """The changes under way in one home, and the processes that they start."""

    home: GatewayHome
    fork_server: ForkServer = field(init=False)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.fork_server = ForkServer(self.home.worker_logs)

    def begin(self, endpoint: Endpoint, config: EndpointConfig, settings: Settings) -> None:
        """Begin to serve another config with other settings."""
        record = endpoint.record
        record.pending, record.pending_settings = config, settings
        record.config_update, record.message = "IN_PROGRESS", ""
        record.last_updated_timestamp = now()
        self.save(endpoint)
        endpoint.change = self._spawn(self._change(endpoint, config, endpoint.change))

    def resume(self, endpoint: Endpoint) -> None:
        """Begin to serve what was deployed before the gateway was restarted."""
        endpoint.change = self._spawn(self._resume(endpoint))

    def end(self, endpoint: Endpoint) -> None:
        """Begin to serve nothing; requests under way are still answered."""
        self._spawn(self._dismantle(endpoint))

    async def close(self, endpoints: Iterable[Endpoint]) -> None:
        """End every change and every worker; the records stay."""
        await asyncio.gather(*(self._dismantle(endpoint) for endpoint in endpoints))
        if self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.fork_server.close()

    def save(self, endpoint: Endpoint) -> None:
        """Write the endpoint's record."""
        path = self.home.endpoints / f"{endpoint.record.name}.json"
        write_atomically(path, endpoint.record.model_dump_json(indent=2))

    async def _change(
        self, endpoint: Endpoint, config: EndpointConfig, under_way: asyncio.Task[None] | None = None
    ) -> None:
        """Start what is new, then swap in one step, then drain what is old; once what a restart is still bringing back
        is there, which would be swapped in over it.
        """
        if under_way is not None:
            await asyncio.gather(under_way, return_exceptions=True)
        before = endpoint.serving.versions if endpoint.serving else ()
        unchanged = {version.entity.name: version for version in before if version.entity in config.served_entities}
        added = [
            Replicas(entity, self.fork_server) for entity in config.served_entities if entity.name not in unchanged
        ]
        record = endpoint.record
        problem = await _problem_of_start(record.name, added)
        if problem is not None:
            record.pending, record.pending_settings = None, None
            record.config_update, record.message = "UPDATE_FAILED", problem
            self.save(endpoint)
            return
        endpoint.serving = serving_of(config, unchanged | {version.entity.name: version for version in added})
        for version in before:
            if version not in endpoint.serving.versions:
                self._spawn(version.stop(record.settings.timeout_seconds))
        record.settings, record.pending_settings = record.pending_settings or record.settings, None
        record.config, record.pending, record.config_update, record.message = config, None, "NOT_UPDATING", ""
        record.config_version += 1
        record.last_updated_timestamp = now()
        self.save(endpoint)

    async def _resume(self, endpoint: Endpoint) -> None:
        """After a restart: serve what was deployed, then go on with the change that was under way."""
        record = endpoint.record
        if record.config is not None:
            versions = [Replicas(entity, self.fork_server) for entity in record.config.served_entities]
            problem = await _problem_of_start(record.name, versions)
            if problem is not None:
                record.config_update, record.message = "UPDATE_FAILED", problem
            else:
                endpoint.serving = serving_of(record.config, {each.entity.name: each for each in versions})
        if record.pending is not None:
            await self._change(endpoint, record.pending)

    async def _dismantle(self, endpoint: Endpoint) -> None:
        if endpoint.change is not None and not endpoint.change.done():
            endpoint.change.cancel()
            await asyncio.gather(endpoint.change, return_exceptions=True)
        serving, endpoint.serving = endpoint.serving, None
        for version in serving.versions if serving else ():
            await version.stop(endpoint.record.settings.timeout_seconds)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """A task that is kept until it ends, so that it is not collected while it runs."""
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


async def _problem_of_start(name: str, versions: Sequence[Replicas]) -> str | None:
    """Start the versions; why one failed, None where all are there. Whatever it was, the next change is taken."""
    try:
        await _start_all(versions)
    except (WorkerFailedError, OSError) as error:
        log.error("endpoint %s keeps what it had: %s", name, error)
        return str(error)
    except Exception as error:
        log.exception("endpoint %s keeps what it had", name)
        return f"{type(error).__name__}: {error}"
    return None


async def _start_all(versions: Sequence[Replicas]) -> None:
    """Start the versions together; where one fails, or this is cancelled, none is left running."""
    starts = [asyncio.create_task(version.start()) for version in versions]
    try:
        await asyncio.gather(*starts)
    except BaseException:
        for start in starts:
            start.cancel()
        await asyncio.gather(*starts, return_exceptions=True)
        await asyncio.gather(*(version.stop(0) for version in versions))
        raise


def now() -> int:
    """Milliseconds since 1970."""
    return int(time.time() * 1000)
