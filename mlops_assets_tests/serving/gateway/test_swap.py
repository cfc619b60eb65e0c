import asyncio
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from scipy.stats import binomtest

from mlops_assets.serving.endpoints import EndpointSpec, GatewayEndpoints
from mlops_assets.serving.gateway_process import GatewayAddress
from mlops_assets_tests.serving.conftest import invoke, running, token_of, wait_until, workers_of

ROW = {"tenure": 3, "charges": 20.0, "contract": "monthly", "signed": None}
Deploy = Callable[..., EndpointSpec]
CONNECTIONS = 16


def keep_asking(url: str, token: str, done: threading.Event, seen: Counter[tuple[int, str]]) -> None:
    with httpx.Client(
        base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=60, trust_env=False
    ) as client:
        while not done.is_set():
            answer = invoke(client, {"dataframe_records": [ROW]})
            seen[answer.status_code, answer.headers.get("served-model-name", "")] += 1


class Answer(NamedTuple):
    """When a request was sent and answered, in seconds, by which version and how."""

    sent: float
    received: float
    status: int
    version: str


@dataclass
class Callers:
    """Sixteen connections that ask without a pause, in a thread of their own."""

    address: GatewayAddress
    answers: list[Answer] = field(default_factory=list)
    done: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def asking(self) -> Iterator[None]:
        thread = threading.Thread(target=lambda: asyncio.run(self._all()))
        thread.start()
        try:
            self.wait_for(CONNECTIONS)
            yield
        finally:
            self.done.set()
            thread.join()

    def wait_for(self, more: int) -> None:
        """Until so many more requests are answered."""
        until = len(self.answers) + more
        wait_until(lambda: len(self.answers) >= until, 120)

    async def _all(self) -> None:
        headers = {"Authorization": f"Bearer {token_of(self.address)}"}
        limits = httpx.Limits(max_connections=CONNECTIONS)
        async with httpx.AsyncClient(
            base_url=self.address.url, headers=headers, timeout=60, trust_env=False, limits=limits
        ) as client:
            await asyncio.gather(*(self._ask(client) for _ in range(CONNECTIONS)))

    async def _ask(self, client: httpx.AsyncClient) -> None:
        content = json.dumps({"dataframe_records": [ROW]}).encode()
        while not self.done.is_set():
            sent = time.monotonic()
            given = await client.post("/serving-endpoints/churn/invocations", content=content)
            version = given.headers.get("served-model-name", "").removeprefix("churn_model-")
            self.answers.append(Answer(sent, time.monotonic(), given.status_code, version))


class Routed(NamedTuple):
    """What an endpoint was asked to serve: shares by version, when it was asked and when it had said that it does."""

    shares: dict[str, int]
    asked: float
    ready: float


@pytest.mark.slow
@pytest.mark.parametrize("model", ["model_path", "linear_path"])
def test_twenty_swaps_and_five_rollbacks_under_load_answer_from_what_is_routed_and_by_its_weights(
    tmp_path: Path, deploy: Deploy, model: str, request: pytest.FixtureRequest
) -> None:
    """Of trees, which their workers answer, and of linear models, which the gateway answers itself."""
    path = str(request.getfixturevalue(model))
    history: list[Routed] = []
    with running(tmp_path) as address, GatewayEndpoints(address.url, token_of(address)) as endpoints:

        def route(**shares: int) -> None:
            (first, *rest) = (each.removeprefix("v") for each in shares)
            beside = [{"version": each, "model_path": path, "percentage": shares[f"v{each}"]} for each in rest]
            begun = time.monotonic()
            endpoints.apply(deploy(int(first), model_path=path, beside=beside))
            endpoints.wait_ready("churn", 120)
            history.append(Routed({each.removeprefix("v"): shares[each] for each in shares}, begun, time.monotonic()))

        route(v0=100)
        callers, serving = Callers(address), 0
        with callers.asking():
            for swap in range(1, 21):
                route(**{f"v{swap}": 30, f"v{serving}": 70})
                callers.wait_for(120)
                route(**{f"v{swap}": 100})
                serving = swap
                callers.wait_for(CONNECTIONS)
                if swap % 4 == 0:
                    route(**{f"v{100 + swap}": 50, f"v{serving}": 50})
                    callers.wait_for(120)
                    route(**{f"v{serving}": 100})
                    callers.wait_for(CONNECTIONS)
        wait_until(lambda: len(workers_of(address.pid)) == 1)

    assert {answer.status for answer in callers.answers} == {200}
    assert {answer.version for answer in callers.answers} == {
        *map(str, range(21)),
        *(str(100 + 4 * n) for n in range(1, 6)),
    }
    ended = [*(each.ready for each in history[1:]), float("inf")]
    for answer in callers.answers:
        routed = [
            each for each, end in zip(history, ended, strict=True) if each.asked < answer.received and answer.sent < end
        ]
        assert any(answer.version in each.shares for each in routed), answer
    shared: Counter[int] = Counter()
    for now, then in pairwise(history):
        alone = [each.version for each in callers.answers if now.ready < each.sent and each.received < then.asked]
        assert set(alone) <= set(now.shares)
        for version, share in now.shares.items() if len(now.shares) > 1 else ():
            found = binomtest(alone.count(version), len(alone), share / 100)
            assert found.pvalue > 1e-5, f"{version} answered {found.k} of {found.n}, its share is {share} %"
            shared[share] += found.k
    new, old = shared[30], shared[70]
    assert binomtest(new, new + old, 0.3).pvalue > 1e-3
    told = f"{len(callers.answers)} answers over {len(history) - 1} changes"
    print(f"{told}; of {new + old} while 30 % were to go to the new version, {new} did")


@pytest.mark.slow
def test_traffic_follows_its_percentages_and_shares_what_is_served(tmp_path: Path, deploy: Deploy) -> None:
    with running(tmp_path) as address, GatewayEndpoints(address.url, token_of(address)) as endpoints:
        endpoints.apply(deploy(1))
        endpoints.wait_ready("churn", 60)
        (first,) = workers_of(address.pid)
        entities = [deploy(version).config.model_dump(exclude_none=True)["served_entities"][0] for version in (1, 2)]
        routes = [
            {"served_model_name": "churn_model-1", "traffic_percentage": 80},
            {"served_model_name": "churn_model-2", "traffic_percentage": 20},
        ]
        headers = {"Authorization": f"Bearer {token_of(address)}"}
        with httpx.Client(base_url=address.url, headers=headers, timeout=60, trust_env=False) as client:
            client.put(
                "/api/2.0/serving-endpoints/churn/config",
                json={"served_entities": entities, "traffic_config": {"routes": routes}},
            )
            endpoints.wait_ready("churn", 60)
            names = Counter(
                invoke(client, {"dataframe_records": [ROW]}).headers["served-model-name"] for _ in range(300)
            )

        assert first in workers_of(address.pid)
        assert 35 <= names["churn_model-2"] <= 90


@pytest.mark.field("deployment.environment_variables", "Are in the environment of the endpoint's workers.")
@pytest.mark.field("deployment.compute_scale", "Here the threads of each worker process.")
def test_a_worker_has_its_entitys_environment_and_threads() -> None:
    program = """
import os, socket
from threadpoolctl import threadpool_info
from mlops_assets.serving.workers import fork_server, worker
def tell(link, path, onnx):
    import numpy
    link.sendall(f"{os.environ['GREETING']} {path} {threadpool_info()[0]['num_threads']}".encode())
worker.run_worker = tell
ours, theirs = socket.socketpair()
if os.fork() == 0:
    import numpy
    order = {"environment": {"GREETING": "hello"}, "threads": 2, "log": os.devnull}
    order |= {"model_path": "there", "onnx_path": None}
    fork_server._become_worker(order, theirs)
theirs.close()
print(ours.recv(100).decode(), "GREETING" in os.environ)
"""
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert told.stdout.split() == ["hello", "there", "2", "False"]
