"""One request's way through the gateway: to a worker by share and back, within the endpoint's time."""

import asyncio
import time
from dataclasses import dataclass
from logging import getLogger

import httpx

from mlops_assets.serving.endpoint_state import Endpoint
from mlops_assets.serving.inference_log import InferenceLog, LoggedRequest
from mlops_assets.serving.payload import error_body
from mlops_assets.serving.protocol import ServedEntity
from mlops_assets.serving.worker import KEY_HEADER, ROWS_HEADER
from mlops_assets.serving.worker_process import Worker

log = getLogger("mlops_assets.gateway")

# A worker that died is back within this time or the request is refused.
RESTART_SECONDS = 30.0
ATTEMPTS = 2


@dataclass(frozen=True)
class Answer:
    """What the gateway answers, and which version gave it (None where none did)."""

    status: int
    body: bytes
    worker: Worker | None = None
    rows: int = 0

    @property
    def entity(self) -> ServedEntity | None:
        """The served entity that answered."""
        return self.worker.entity if self.worker else None


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
        return Answer(504, error_body("DEADLINE_EXCEEDED", message), worker)
    finally:
        worker.in_flight -= 1


def record(into: InferenceLog, endpoint: Endpoint, given: Answer, body: bytes, request_id: str, seconds: float) -> None:
    """Put an answered request on its way to the endpoint's inference table, where it has one."""
    table = endpoint.record.settings.inference_table
    if table is None:
        return
    request = LoggedRequest(
        request_id=request_id,
        time_us=time.time_ns() // 1000,
        endpoint=endpoint.record.name,
        version=given.entity.entity_version if given.entity else None,
        served_model_name=given.entity.name if given.entity else None,
        latency_ms=seconds * 1000,
        status_code=given.status,
        body=body.decode(errors="replace"),
        answer=given.body.decode(errors="replace"),
        columns=given.worker.columns if given.worker and b'"dataframe_' not in body else None,
    )
    try:
        into.append(table, request, max(1, given.rows))
    except OSError as error:
        log.error("a request of %s is not logged: %s", endpoint.record.name, error)


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
        return Answer(reply.status_code, reply.content, worker, rows)
    return _unavailable(f"The worker of '{worker.entity.name}' is being restarted.", worker)


def _unavailable(message: str, worker: Worker | None = None) -> Answer:
    return Answer(503, error_body("TEMPORARILY_UNAVAILABLE", message), worker)
