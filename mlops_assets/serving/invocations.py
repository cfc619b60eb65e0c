"""One request's way through the gateway: to a worker by share and back, within the endpoint's time."""

import asyncio
from dataclasses import dataclass

import httpx

from mlops_assets.serving.fleet import Endpoint
from mlops_assets.serving.payload import error_body
from mlops_assets.serving.protocol import ServedEntity
from mlops_assets.serving.worker import KEY_HEADER, ROWS_HEADER
from mlops_assets.serving.worker_process import Worker

# A worker that died is back within this time or the request is refused.
RESTART_SECONDS = 30.0
ATTEMPTS = 2


@dataclass(frozen=True)
class Answer:
    """What the gateway answers, and which version gave it (None where none did)."""

    status: int
    body: bytes
    entity: ServedEntity | None = None
    rows: int = 0


async def answer(endpoint: Endpoint, body: bytes, client: httpx.AsyncClient) -> Answer:
    """The answer of one of the endpoint's workers, or 503 / 504 where none came in time."""
    serving = endpoint.serving
    if serving is None:
        return _unavailable(f"The endpoint '{endpoint.record.name}' is not ready.")
    worker = serving.pick()
    seconds = endpoint.record.settings.timeout_seconds
    worker.in_flight += 1
    try:
        async with asyncio.timeout(seconds):
            return await _ask(worker, body, client)
    except TimeoutError:
        message = f"The endpoint '{endpoint.record.name}' gave no answer within {seconds:g} s."
        return Answer(504, error_body("DEADLINE_EXCEEDED", message), worker.entity)
    finally:
        worker.in_flight -= 1


async def _ask(worker: Worker, body: bytes, client: httpx.AsyncClient) -> Answer:
    """Predicting changes nothing, so a request whose worker died under it is sent once more to the next."""
    for _ in range(ATTEMPTS):
        try:
            async with asyncio.timeout(RESTART_SECONDS):
                await worker.ready.wait()
        except TimeoutError:
            break
        try:
            reply = await client.post(worker.url, content=body, headers={KEY_HEADER: worker.key})
        except httpx.TransportError:
            await asyncio.sleep(0.05)
            continue
        rows = int(reply.headers.get(ROWS_HEADER, 0))
        return Answer(reply.status_code, reply.content, worker.entity, rows)
    return _unavailable(f"The worker of '{worker.entity.name}' is being restarted.", worker.entity)


def _unavailable(message: str, entity: ServedEntity | None = None) -> Answer:
    return Answer(503, error_body("TEMPORARILY_UNAVAILABLE", message), entity)
