import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pandas as pd
import pytest
from click.testing import CliRunner

from mlops_assets.serving import EndpointCredentials, TabularModelClient
from mlops_assets.serving.client.signature import described_columns
from mlops_assets.serving.endpoints import EndpointSpec, GatewayEndpoints
from mlops_assets.serving.errors import InvalidInput
from mlops_assets.serving.gateway.access import Access, grant, revoke
from mlops_assets.serving.gateway.files import GatewayHome
from mlops_assets.serving.gateway.limits import Bucket, retry_after
from mlops_assets.serving.gateway_process import GatewayAddress, ensure_running, stop
from mlops_assets.serving.tokens import main
from mlops_assets_tests.serving.conftest import invoke, token_of

Deploy = Callable[..., EndpointSpec]
ROW = {"dataframe_records": [{"tenure": 3, "charges": 20.0}]}


def asking(address: GatewayAddress, token: str) -> httpx.Client:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.Client(base_url=address.url, headers=headers, timeout=30, trust_env=False)


def test_a_further_token_queries_what_it_was_granted_and_nothing_else(shared: GatewayAddress) -> None:
    home = ["--home", str(shared.token_file.parent)]
    made = CliRunner().invoke(main, [*home, "grant", "dashboard", "--endpoint", "churn"]).output.strip()
    other = CliRunner().invoke(main, [*home, "grant", "elsewhere", "--endpoint", "prices"]).output.strip()

    with asking(shared, made) as dashboard, asking(shared, other) as elsewhere:
        assert invoke(dashboard, ROW).status_code == 200
        assert invoke(elsewhere, ROW).status_code == 403
        assert dashboard.get("/api/2.0/serving-endpoints").status_code == 403
        assert dashboard.delete("/api/2.0/serving-endpoints/churn").status_code == 403
        listed = CliRunner().invoke(main, [*home, "list"]).output
        assert listed == "dashboard: churn\nelsewhere: prices\n"
        assert CliRunner().invoke(main, [*home, "revoke", "dashboard"]).exit_code == 0
        assert invoke(dashboard, ROW).status_code == 403
    CliRunner().invoke(main, [*home, "revoke", "elsewhere"])
    assert CliRunner().invoke(main, [*home, "revoke", "elsewhere"]).exit_code == 1


def test_tokens_are_kept_as_digests_and_compared_in_constant_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlops_assets.serving.gateway import access

    compared: list[int] = []
    real = access.compare_digest
    monkeypatch.setattr(access, "compare_digest", lambda a, b: compared.append(len(a)) or real(a, b))
    file = tmp_path / "tokens.json"
    tokens = [grant(file, name, ("*",)) for name in ("a", "b", "c")]
    known = Access("the-gateways-own-token", file)

    assert known.may_query(tokens[0], "anything")
    assert len(compared) == 4
    assert not any(token in file.read_text() for token in tokens)
    assert file.stat().st_mode & 0o077 == 0
    assert "the-gateways-own-token" not in str(known._own)
    assert revoke(file, "a")
    assert not known.may_query(tokens[0], "anything")
    assert not known.may_manage(tokens[1])


def test_beyond_its_requests_per_minute_an_endpoint_answers_429_and_when_to_come_back(
    shared: GatewayAddress, deploy: Deploy
) -> None:
    with GatewayEndpoints(shared.url, token_of(shared)) as endpoints, asking(shared, token_of(shared)) as client:
        endpoints.apply(deploy(requests_per_minute=20))
        endpoints.wait_ready("churn")
        answers = [invoke(client, ROW) for _ in range(3)]
        tested = [endpoints.ask("churn", pd.DataFrame(ROW["dataframe_records"]), "churn_model-1") for _ in range(5)]
        endpoints.apply(deploy())
        endpoints.wait_ready("churn")
        counted = client.get("/metrics").text

    assert [each.status_code for each in answers] == [200, 200, 429]
    assert 'requests_total{endpoint="churn",served_model="",status="429"} 1.0' in counted
    assert [len(each) for each in tested] == [1] * 5
    assert answers[2].json()["error_code"] == "REQUEST_LIMIT_EXCEEDED"
    assert int(answers[2].headers["retry-after"]) in (1, 2, 3)


def test_refused_requests_are_counted_and_names_that_are_no_endpoints_make_no_series(shared: GatewayAddress) -> None:
    with asking(shared, token_of(shared)) as client, asking(shared, "wrong") as stranger:
        statuses = [invoke(stranger, ROW).status_code, *(invoke(client, ROW, f"x{n}").status_code for n in range(2))]
        counted = client.get("/metrics").text

    assert statuses == [403, 404, 404]
    assert 'requests_total{endpoint="churn",served_model="",status="403"}' in counted
    assert 'requests_total{endpoint="",served_model="",status="404"}' in counted
    assert "x0" not in counted


def test_a_bucket_fills_evenly_and_lets_a_tenth_pass_at_once() -> None:
    bucket = Bucket(60)

    assert [bucket.take(now=100) for _ in range(6)] == [0] * 6
    assert bucket.take(now=100) == pytest.approx(1)
    assert [bucket.take(now=100.5), bucket.take(now=101.1)] == [pytest.approx(0.5), 0]
    assert (retry_after(0.2), retry_after(1.2)) == ("1", "2")


def test_an_endpoint_describes_its_columns_and_the_client_believes_it(shared: GatewayAddress) -> None:
    with asking(shared, token_of(shared)) as client:
        described = client.get("/api/2.0/serving-endpoints/churn/openapi").json()
        before = client.get("/metrics").text
        typed = TabularModelClient(shared.url, EndpointCredentials(token=token_of(shared)))
        with pytest.raises(InvalidInput, match="charges"):
            typed.predict("churn", pd.DataFrame({"tenure": [1]}))
        asked = [line for line in client.get("/metrics").text.splitlines() if 'status="400"' in line]

    assert [(column.name, column.type, column.required) for column in described_columns(described)] == [
        ("tenure", "long", True),
        ("charges", "double", True),
        ("contract", "string", False),
        ("signed", "datetime", False),
    ]
    assert all(line in before for line in asked)


def test_one_version_can_be_asked_by_name(http: httpx.Client) -> None:
    path = "/serving-endpoints/churn/served-models/{}/invocations"

    assert http.post(path.format("churn_model-1"), json=ROW).json() == invoke(http, ROW).json()
    assert http.post(path.format("churn_model-2"), json=ROW).status_code == 404
    assert http.get(path.format("churn_model-1")).status_code == 405


def test_beyond_loopback_no_endpoint_may_be_open(tmp_path: Path, deploy: Deploy) -> None:
    address = ensure_running(tmp_path, host="0.0.0.0", port=0)
    try:
        with GatewayEndpoints(address.url, token_of(address)) as endpoints:
            with pytest.raises(InvalidInput, match="reached from other machines"):
                endpoints.apply(deploy(enable_access_control=False))
            assert endpoints.list() == []
    finally:
        stop(tmp_path)


def test_the_log_is_one_json_object_a_line(shared: GatewayAddress) -> None:
    import json

    lines = GatewayHome(shared.token_file.parent).log_file.read_text().splitlines()
    serving = [json.loads(line) for line in lines if line.startswith("{")]

    assert any("serves churn_model-1 (fast plan, bit-equal on 2048 rows)" in each["message"] for each in serving)
    assert {"time", "level", "logger", "message"} <= set(serving[0])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("description", "arguments"),
    [
        ("/openapi.json", ["--exclude-path", "/ready", "--exclude-path-regex", "invocations"]),
        ("/api/2.0/serving-endpoints/churn/openapi", []),
    ],
)
def test_schemathesis_finds_no_server_error_behind_a_description(
    shared: GatewayAddress, tmp_path: Path, description: str, arguments: list[str]
) -> None:
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{shared.url}{description}", "-n", "25"]
    command += ["--header", f"Authorization: Bearer {token_of(shared)}", "--checks", "not_a_server_error"]
    command += ["--phases", "coverage,fuzzing", *arguments]

    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)

    assert "Test cases:" in done.stdout, done.stdout[-3000:]
    assert done.returncode == 0, done.stdout[-3000:]
    log = GatewayHome(shared.token_file.parent).log_file.read_text()
    assert '"traceback"' not in log
