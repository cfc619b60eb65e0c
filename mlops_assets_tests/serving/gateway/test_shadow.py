"""Shadow traffic to a version that gives no answer."""

import asyncio
from pathlib import Path

from mlops_assets.serving.gateway.endpoint_state import Endpoint, Serving
from mlops_assets.serving.gateway.invocations import Answer
from mlops_assets.serving.gateway.shadow import MOST_AT_A_TIME, Shadows
from mlops_assets.serving.protocol import EndpointRecord, ServedEntity
from mlops_assets.serving.workers.fork_server_process import ForkServer
from mlops_assets.serving.workers.frames import Frame
from mlops_assets.serving.workers.replicas import Replicas


class Asleep(Replicas):
    """A version whose process hangs."""

    async def ask(self, body: bytes) -> Frame:
        await asyncio.Event().wait()
        raise AssertionError


def test_a_shadow_that_hangs_is_an_error_in_time_and_holds_up_no_later_comparison(tmp_path: Path) -> None:
    times = {"creation_timestamp": 0, "last_updated_timestamp": 0, "settings": {"timeout_seconds": 0.01}}
    endpoint = Endpoint(EndpointRecord.model_validate({"name": "e", "id": "1", **times}))
    entity = {"entity_name": "m", "entity_version": "1", "model_path": "/nowhere"}

    async def life() -> list[tuple[int, int]]:
        one, other = (Asleep(ServedEntity.model_validate(entity), ForkServer(tmp_path)) for _ in range(2))
        endpoint.serving, shadows, told = Serving((one, other), (100, 0), 100), Shadows(), []
        for _ in range(2):
            for _ in range(MOST_AT_A_TIME + 4):
                shadows.compare(endpoint, Answer(200, b'{"predictions": []}', one), b"{}")
            await asyncio.sleep(0.1)
            (found,) = shadows.describe("e")
            told.append((found["errors"], found["left_out"]))
        return told

    assert asyncio.run(life()) == [(MOST_AT_A_TIME, 4), (2 * MOST_AT_A_TIME, 8)]
