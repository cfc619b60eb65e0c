import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from mlops_assets.serving.endpoints import EndpointSpec, GatewayEndpoints
from mlops_assets_tests.serving.conftest import invoke, running, token_of, wait_until, workers_of

ROW = {"tenure": 3, "charges": 20.0, "contract": "monthly", "signed": None}
Deploy = Callable[..., EndpointSpec]


def keep_asking(url: str, token: str, done: threading.Event, seen: Counter[tuple[int, str]]) -> None:
    with httpx.Client(
        base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=60, trust_env=False
    ) as client:
        while not done.is_set():
            answer = invoke(client, {"dataframe_records": [ROW]})
            seen[answer.status_code, answer.headers.get("served-model-name", "")] += 1


@pytest.mark.slow
def test_twenty_swaps_under_load_fail_no_request(tmp_path: Path, deploy: Deploy) -> None:
    done = threading.Event()
    counts: list[Counter[tuple[int, str]]] = [Counter() for _ in range(4)]
    with running(tmp_path) as address, GatewayEndpoints(address.url, token_of(address)) as endpoints:
        endpoints.apply(deploy(0))
        endpoints.wait_ready("churn", 60)
        threads = [
            threading.Thread(target=keep_asking, args=(address.url, token_of(address), done, seen)) for seen in counts
        ]
        for thread in threads:
            thread.start()
        try:
            for version in range(1, 21):
                endpoints.apply(deploy(version))
                assert endpoints.wait_ready("churn", 120).served[0].version == str(version)
        finally:
            done.set()
            for thread in threads:
                thread.join()
        wait_until(lambda: len(workers_of(address.pid)) == 1)

    answered = sum(counts, Counter[tuple[int, str]]())
    assert {status for status, _ in answered} == {200}
    assert {name for _, name in answered} == {f"churn_model-{version}" for version in range(21)}


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
from mlops_assets.serving import nursery, worker
def tell(link, path):
    import numpy
    link.sendall(f"{os.environ['GREETING']} {path} {threadpool_info()[0]['num_threads']}".encode())
worker.work = tell
ours, theirs = socket.socketpair()
if os.fork() == 0:
    import numpy
    nursery._become_worker({"environment": {"GREETING": "hello"}, "threads": 2, "model_path": "there"}, theirs)
theirs.close()
print(ours.recv(100).decode(), "GREETING" in os.environ)
"""
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert told.stdout.split() == ["hello", "there", "2", "False"]
