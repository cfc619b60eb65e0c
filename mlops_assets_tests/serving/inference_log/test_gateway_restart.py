import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import polars as pl
import psutil
import pytest

from mlops_assets.serving import gateway_process
from mlops_assets.serving.endpoints import EndpointSpec, GatewayEndpoints
from mlops_assets_tests.serving.conftest import invoke, kill, running, token_of, wait_until, workers_of

Deploy = Callable[..., EndpointSpec]


def send(url: str, token: str, numbers: range) -> list[str]:
    """Request ids of one request per number, each of two rows with that tenure."""
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=url, headers=headers, timeout=30, trust_env=False) as client:
        answers = [
            invoke(client, {"dataframe_records": [{"tenure": number, "charges": 1.0}] * 2}) for number in numbers
        ]
    assert {answer.status_code for answer in answers} == {200}
    return [answer.headers["x-request-id"] for answer in answers]


@pytest.mark.slow
def test_no_row_is_lost_to_sigterm_and_what_a_kill_loses_is_told_and_a_restart_serves_the_same(
    tmp_path: Path, deploy: Deploy
) -> None:
    table = tmp_path / "table"
    with running(tmp_path) as first:
        token = token_of(first)
        with GatewayEndpoints(first.url, token) as endpoints:
            endpoints.apply(deploy(inference_table=str(table), tags={"team": "churn"}))
            before = endpoints.wait_ready("churn")
        ids = send(first.url, token, range(50))
        gateway_process.stop(tmp_path)
        assert sorted(pl.read_delta(str(table))["request_id"]) == sorted(ids * 2)

        second = gateway_process.ensure_running(tmp_path, port=0)
        assert token_of(second) == token
        with GatewayEndpoints(second.url, token) as endpoints:
            assert endpoints.wait_ready("churn") == before
        ids += send(second.url, token, range(50))
        (worker,) = workers_of(second.pid)
        kill(second.pid)
        wait_until(lambda: not psutil.pid_exists(worker))

        third = gateway_process.ensure_running(tmp_path, port=0)
        with GatewayEndpoints(third.url, token) as endpoints:
            assert endpoints.wait_ready("churn") == before
        gateway_process.stop(tmp_path)

    rows = pl.read_delta(str(table))
    told = re.findall(r"lost: (\d+) requests", (tmp_path / "gateway" / "gateway.log").read_text())
    lost = sum(map(int, told))
    assert lost <= 50
    assert sorted(rows["request_id"]) == sorted(ids[: len(ids) - lost] * 2)
    assert rows["label"].null_count() == 0
    assert (datetime.now(UTC) - rows["time"].min()) < timedelta(minutes=5)
