"""One request's way through the gateway: to a version by share and back, within the endpoint's time."""

import asyncio
import re
import time
from dataclasses import dataclass
from random import random

from mlops_assets.serving.gateway.endpoint_state import Endpoint
from mlops_assets.serving.inference_log.recording import InferenceLog, LoggedRequest
from mlops_assets.serving.payload import error_body
from mlops_assets.serving.protocol import ServedEntity
from mlops_assets.serving.workers.link import WorkerGone
from mlops_assets.serving.workers.replicas import Replicas

# How a body begins whose rows bring their columns' names.
_NAMED = re.compile(rb'\s*\{\s*"dataframe_(?:records"|split"\s*:\s*\{\s*"columns")')


@dataclass(frozen=True, slots=True)
class Answer:
    """What the gateway answers, and which version gave it (None where none did)."""

    status: int
    body: bytes
    version: Replicas | None = None
    rows: int = 0

    @property
    def entity(self) -> ServedEntity | None:
        """The served entity that answered."""
        return self.version.entity if self.version else None


async def answer(endpoint: Endpoint, body: bytes, served: str | None = None) -> Answer:
    """The answer of one of the endpoint's versions, by share or the one called `served`; 503 / 504 where none came.

    Raises LookupError where there is no version of that name.
    """
    serving = endpoint.serving
    if serving is None:
        return _unavailable(f"The endpoint '{endpoint.record.name}' is not ready.")
    version = serving.pick() if served is None else serving.named(served)
    if version is None:
        raise LookupError(f"The endpoint '{endpoint.record.name}' serves no '{served}'.")
    return await _within(endpoint, version, body)


async def _within(endpoint: Endpoint, version: Replicas, body: bytes) -> Answer:
    if (frame := version.at_once(body)) is not None:
        return Answer(frame.status, frame.body, version, frame.rows)
    seconds = endpoint.record.settings.timeout_seconds
    try:
        async with asyncio.timeout(seconds):
            frame = await version.ask(body)
    except TimeoutError:
        message = f"The endpoint '{endpoint.record.name}' gave no answer within {seconds:g} s."
        return Answer(504, error_body("DEADLINE_EXCEEDED", message), version)
    except WorkerGone as error:
        return _unavailable(f"{error}.".capitalize(), version)
    return Answer(frame.status, frame.body, version, frame.rows)


def record(into: InferenceLog, endpoint: Endpoint, given: Answer, body: bytes, request_id: str, seconds: float) -> None:
    """Put an answered request on its way to the endpoint's inference table, where it has one and it is drawn."""
    settings = endpoint.record.settings
    if settings.inference_table is None or (settings.logged_fraction < 1 and random() >= settings.logged_fraction):
        return
    version, entity = given.version, given.entity
    unnamed = version is not None and _NAMED.match(body) is None
    # By position: by name it takes twice as long.
    request = LoggedRequest(
        request_id,
        time.time_ns() // 1000,
        endpoint.record.name,
        entity.entity_version if entity else "",
        entity.name if entity else "",
        seconds * 1000,
        given.status,
        tuple(each.name for each in version.columns) if version and unnamed else (),
        settings.hashed_columns,
        settings.dropped_columns,
    )
    into.append(settings.inference_table, request, body, given.body)


def _unavailable(message: str, version: Replicas | None = None) -> Answer:
    return Answer(503, error_body("TEMPORARILY_UNAVAILABLE", message), version)
