"""The endpoints of one gateway: their records on disk, their workers, changes without a failed request."""

import asyncio
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from logging import getLogger
from typing import Any
from uuid import uuid4

from mlops_assets.serving.endpoint_state import (
    Endpoint,
    EndpointExistsError,
    UnknownEndpointError,
    UpdateInProgressError,
    serving_of,
)
from mlops_assets.serving.home import GatewayHome, write_atomically
from mlops_assets.serving.logs import last_lines
from mlops_assets.serving.nursery_process import Nursery, WorkerFailedError
from mlops_assets.serving.protocol import (
    CreateEndpoint,
    EndpointConfig,
    EndpointRecord,
    PatchTags,
    Settings,
    UpdateConfig,
)
from mlops_assets.serving.replicas import Replicas

LOG_BYTES = 64 << 10

log = getLogger("mlops_assets.gateway")


@dataclass
class Fleet:
    """All endpoints of one home."""

    home: GatewayHome
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    nursery: Nursery = field(init=False)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.nursery = Nursery(self.home.worker_logs)

    def restore(self) -> None:
        """Read the records of `home` and begin to serve what they say was deployed."""
        for file in sorted(self.home.endpoints.glob("*.json")):
            endpoint = Endpoint(EndpointRecord.model_validate_json(file.read_text(encoding="utf-8")))
            self.endpoints[endpoint.record.name] = endpoint
            endpoint.change = self._spawn(self._resume(endpoint))

    def get(self, name: str) -> Endpoint:
        """The endpoint called `name`. Raises UnknownEndpointError."""
        if name not in self.endpoints:
            raise UnknownEndpointError(f"The endpoint '{name}' does not exist.")
        return self.endpoints[name]

    def create(self, body: CreateEndpoint) -> Endpoint:
        """A new endpoint, not ready yet. Raises EndpointExistsError."""
        if body.name in self.endpoints:
            raise EndpointExistsError(f"The endpoint '{body.name}' exists already: change its config instead.")
        now = _now()
        record = EndpointRecord(
            name=body.name,
            id=uuid4().hex,
            creation_timestamp=now,
            last_updated_timestamp=now,
            settings=Settings.model_validate(body.model_dump(include=set(Settings.model_fields))),
            tags=body.tags,
        )
        endpoint = self.endpoints[body.name] = Endpoint(record)
        self._begin(endpoint, body.config)
        return endpoint

    def update(self, name: str, body: UpdateConfig) -> Endpoint:
        """Replace an endpoint's config; what it serves stays until the new workers are ready.

        Raises UnknownEndpointError or UpdateInProgressError.
        """
        endpoint = self.get(name)
        if endpoint.record.config_update == "IN_PROGRESS":
            raise UpdateInProgressError(f"The endpoint '{name}' is being updated: wait until that has ended.")
        changed = body.model_dump(include=set(Settings.model_fields), exclude_unset=True)
        endpoint.record.settings = endpoint.record.settings.model_copy(update=changed)
        config = EndpointConfig.model_validate(body.model_dump(include=set(EndpointConfig.model_fields)))
        self._begin(endpoint, config)
        return endpoint

    def patch_tags(self, name: str, body: PatchTags) -> Endpoint:
        """Add, replace and delete tags. Raises UnknownEndpointError."""
        endpoint = self.get(name)
        gone = {*body.delete_tags, *(tag.key for tag in body.add_tags)}
        kept = [tag for tag in endpoint.record.tags if tag.key not in gone]
        endpoint.record.tags = (*kept, *body.add_tags)
        self._save(endpoint)
        return endpoint

    def delete(self, name: str) -> None:
        """Forget an endpoint; requests under way are still answered. Raises UnknownEndpointError."""
        endpoint = self.get(name)
        del self.endpoints[name]
        (self.home.endpoints / f"{name}.json").unlink(missing_ok=True)
        self._spawn(self._dismantle(endpoint))

    def logs(self, name: str, served: str) -> str:
        """The last lines that the processes behind a served model printed, also where it did not come up.

        Raises UnknownEndpointError where there is no such endpoint, or nothing has ever been started for such a model.
        """
        self.get(name)
        file = self.home.worker_logs / f"{served}.log"
        if file.name not in {each.name for each in self.home.worker_logs.glob("*.log")}:
            raise UnknownEndpointError(f"The endpoint '{name}' has no log of a '{served}'.")
        return last_lines(file, LOG_BYTES)

    async def close(self) -> None:
        """End every change and every worker; the records stay."""
        await asyncio.gather(*(self._dismantle(endpoint) for endpoint in self.endpoints.values()))
        if self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.nursery.close()

    def _begin(self, endpoint: Endpoint, config: EndpointConfig) -> None:
        record = endpoint.record
        record.pending, record.config_update, record.message = config, "IN_PROGRESS", ""
        record.last_updated_timestamp = _now()
        self._save(endpoint)
        endpoint.change = self._spawn(self._change(endpoint, config))

    async def _change(self, endpoint: Endpoint, config: EndpointConfig) -> None:
        """Start what is new, then swap in one step, then drain what is old."""
        before = endpoint.serving.versions if endpoint.serving else ()
        kept = {version.entity.name: version for version in before if version.entity in config.served_entities}
        added = [Replicas(entity, self.nursery) for entity in config.served_entities if entity.name not in kept]
        record = endpoint.record
        try:
            await _start_all(added)
        except (WorkerFailedError, OSError) as error:
            log.error("endpoint %s keeps what it had: %s", record.name, error)
            record.pending, record.config_update, record.message = None, "UPDATE_FAILED", str(error)
            self._save(endpoint)
            return
        endpoint.serving = serving_of(config, kept | {version.entity.name: version for version in added})
        record.config, record.pending, record.config_update, record.message = config, None, "NOT_UPDATING", ""
        record.config_version += 1
        record.last_updated_timestamp = _now()
        self._save(endpoint)
        for version in before:
            if version not in endpoint.serving.versions:
                self._spawn(version.stop(record.settings.timeout_seconds))

    async def _resume(self, endpoint: Endpoint) -> None:
        """After a restart: serve what was deployed, then go on with the change that was under way."""
        record = endpoint.record
        if record.config is not None:
            versions = [Replicas(entity, self.nursery) for entity in record.config.served_entities]
            try:
                await _start_all(versions)
            except (WorkerFailedError, OSError) as error:
                log.error("endpoint %s is not ready: %s", record.name, error)
                record.config_update, record.message = "UPDATE_FAILED", str(error)
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

    def _save(self, endpoint: Endpoint) -> None:
        path = self.home.endpoints / f"{endpoint.record.name}.json"
        write_atomically(path, endpoint.record.model_dump_json(indent=2))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """A task that is kept until it ends, so that it is not collected while it runs."""
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


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


def _now() -> int:
    return int(time.time() * 1000)
