import json
import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from mlops_assets.serving import gateway_process
from mlops_assets.serving.__main__ import main
from mlops_assets.serving.gateway.files import GatewayHome
from mlops_assets.serving.gateway_process import GatewayStartError, address, ensure_running, stop
from mlops_assets_tests.serving.conftest import kill, running, wait_until


def gateway(home: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "mlops_assets.serving.gateway", "--home", str(home), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def test_a_running_gateway_is_found_and_a_second_one_says_where_the_first_is(tmp_path: Path) -> None:
    assert address(tmp_path) is None
    assert not stop(tmp_path)
    with running(tmp_path) as first:
        again = ensure_running(tmp_path)
        second = gateway(tmp_path)

        assert first.started
        assert not again.started
        assert (again.url, again.pid) == (first.url, first.pid)
        assert second.returncode == 0
        assert f"runs already at {first.url} (pid {first.pid})" in second.stdout
        assert os.getsid(first.pid) == first.pid

    assert address(tmp_path) is None
    assert not GatewayHome(tmp_path).address_file.exists()
    assert not psutil.pid_exists(first.pid)


def test_processes_that_start_it_at_once_get_the_same_gateway(tmp_path: Path) -> None:
    with ThreadPoolExecutor(3) as pool, running(tmp_path):
        gateway_process.stop(tmp_path)
        found = list(pool.map(lambda _: ensure_running(tmp_path, port=0), range(3)))
        alive = [each.pid for each in psutil.process_iter() if str(tmp_path) in _command(each)]

    assert len({(each.url, each.pid) for each in found}) == 1
    assert sum(each.started for each in found) == 1
    assert alive == [found[0].pid]
    assert address(tmp_path) is None


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


def test_what_a_killed_gateway_leaves_does_not_count(tmp_path: Path) -> None:
    with running(tmp_path) as first:
        kill(first.pid)
        wait_until(lambda: address(tmp_path) is None)
        assert GatewayHome(tmp_path).address_file.exists()

        second = ensure_running(tmp_path, port=0)

        assert second.started
        assert second.pid != first.pid


def test_another_process_with_the_old_number_is_no_gateway(tmp_path: Path) -> None:
    home = GatewayHome(tmp_path)
    home.folder.mkdir(parents=True)
    home.address_file.write_text(json.dumps({"pid": os.getpid(), "host": "127.0.0.1", "port": 1, "started": 5.0}))

    assert address(tmp_path) is None
    assert not stop(tmp_path)


def test_a_port_that_was_asked_for_and_is_taken_is_an_error_with_the_reason(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(GatewayStartError, match=f"cannot listen at 127.0.0.1:{port}: Address already in use"):
            ensure_running(tmp_path, port=port)


def test_without_a_port_the_next_free_one_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    from mlops_assets.serving.gateway import __main__ as module

    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setattr(module, "DEFAULT_PORT", taken.getsockname()[1])
        with module.listen("127.0.0.1", None) as listener:
            assert listener.getsockname()[1] > taken.getsockname()[1]


def test_beyond_loopback_the_token_must_be_private(tmp_path: Path) -> None:
    token = GatewayHome(tmp_path).token_file
    token.write_text("a-token-of-enough-length")
    token.chmod(0o644)

    refused = gateway(tmp_path, "--host", "0.0.0.0", "--port", "0")

    assert refused.returncode == 1
    assert "make it 0600" in refused.stderr


def test_an_empty_token_file_is_refused(tmp_path: Path) -> None:
    GatewayHome(tmp_path).token_file.write_text("\n")

    refused = gateway(tmp_path, "--port", "0")

    assert refused.returncode == 1
    assert "holds no token" in refused.stderr


def test_the_command_line_predicts_shows_and_says_where_nothing_runs(
    shared: gateway_process.GatewayAddress,
) -> None:
    home = ["--home", str(shared.token_file.parent)]
    rows = '{"tenure": 3, "charges": 20.0}\n{"tenure": 50, "charges": 20.0}\n'

    predicted = CliRunner().invoke(main, [*home, "predict", "churn"], input=rows)
    shown = CliRunner().invoke(main, [*home, "status"])
    refused = CliRunner().invoke(main, [*home, "predict", "churn"], input='[{"tenure": "x"}]')
    absent = CliRunner().invoke(main, ["--home", "/nowhere", "status"])

    assert [json.loads(line)["prediction"] for line in predicted.output.splitlines()] == ["leaves", "stays"]
    assert "churn: ready, not_updating: churn_model 1 100 %" in shown.output
    assert (refused.exit_code, absent.exit_code) == (1, 1)
    assert "field 'tenure'" in refused.output
    assert "no gateway runs in /nowhere" in absent.output
