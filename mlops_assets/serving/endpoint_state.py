"""One endpoint of a gateway in memory: its record, the workers its requests go to, the change under way."""

import asyncio
import random
from dataclasses import dataclass
from typing import Any

from mlops_assets.serving.protocol import EndpointConfig, EndpointRecord, describe
from mlops_assets.serving.worker_process import Worker


class UnknownEndpointError(LookupError):
    """No endpoint of that name."""


class EndpointExistsError(ValueError):
    """An endpoint of that name is there already."""


class UpdateInProgressError(RuntimeError):
    """An endpoint takes one change at a time."""


@dataclass(frozen=True)
class Serving:
    """The workers an endpoint's requests go to now; replaced whole, never changed."""

    workers: tuple[Worker, ...]
    percentages: tuple[int, ...]

    def pick(self) -> Worker:
        """A worker by its share of the traffic."""
        return random.choices(self.workers, self.percentages)[0]


@dataclass
class Endpoint:
    """An endpoint's record, the workers behind it and the change that is under way."""

    record: EndpointRecord
    serving: Serving | None = None
    change: asyncio.Task[None] | None = None

    @property
    def ready(self) -> bool:
        """Whether every worker that takes traffic can answer."""
        serving = self.serving
        return serving is not None and all(
            worker.ready.is_set() for worker, share in zip(serving.workers, serving.percentages, strict=True) if share
        )

    def describe(self) -> dict[str, Any]:
        """The endpoint as the REST API shows it."""
        return describe(self.record, ready=self.ready)


def serving_of(config: EndpointConfig, workers: dict[str, Worker]) -> Serving:
    """The workers, by served entity name, in the config's order and with its shares."""
    names = [entity.name for entity in config.served_entities]
    return Serving(tuple(workers[name] for name in names), tuple(config.shares.get(name, 0) for name in names))
