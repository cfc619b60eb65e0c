"""`make ui`: the Dagster UI, the gateway and the MLflow UI, until Ctrl-C."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import httpx
import psutil
from rich.console import Console

from mlops_assets.cli.session import dagster_home
from mlops_assets.config import home, writable_home
from mlops_assets.resources.platforms import embedded_registry
from mlops_assets.serving.gateway_process import ensure_running, stop

MLFLOW_PORT = 5000
START_SECONDS, STOP_SECONDS = 120.0, 10.0


@dataclass(frozen=True)
class Server:
    """A server of a person's session: its process, and where it answers."""

    name: str
    url: str
    process: subprocess.Popen[bytes]


class ServerEnded(Exception):
    """A server ended, or never answered."""


class PortTaken(Exception):
    """Something else listens where a server should."""


def run_ui(port: int, mlflow_port: int = MLFLOW_PORT) -> bool:
    """Start the three servers, print each address once it answers, and stop all of them at Ctrl-C or when one ends;
    False where one could not start or ended by itself.

    Raises:
        PortTaken: before anything is started.
        ConfigError: nothing can be written to MLOPS_HOME.
    """
    writable_home()
    _require_free(port, "--port")
    _require_free(mlflow_port, "--mlflow-port")
    console = Console()
    signal.signal(signal.SIGTERM, _interrupt)
    servers: list[Server] = []
    try:
        gateway = ensure_running(home())
        console.print(f"Gateway     {gateway.url}  (token in {gateway.token_file})")
        servers += [_dagster(port), _mlflow(mlflow_port)]
        for server in servers:
            _wait_until_it_answers(server)
            console.print(f"{server.name:<11} {server.url}")
        console.print("Ctrl-C stops all of them.")
        _watch(servers)
    except KeyboardInterrupt:
        console.print("Stopping ...")
        return True
    except ServerEnded as ended:
        console.print(str(ended))
        return False
    finally:
        _stop(servers)
        stop(home())


def _require_free(port: int, option: str) -> None:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        raise PortTaken(
            f"Port {port} cannot be used: {os.strerror(error.errno or 0)}. Name another with {option}."
        ) from None


def _dagster(port: int) -> Server:
    command = ["-m", "dagster", "dev", "-m", "mlops_assets.definitions", "-p", str(port), "--log-level", "warning"]
    return Server("Dagster UI", f"http://127.0.0.1:{port}", _started(command, {}))


def _mlflow(port: int) -> Server:
    # By its environment: a command, with a password in the store's address, can be read by everybody on the machine.
    store = {"MLFLOW_BACKEND_STORE_URI": embedded_registry().server.tracking_uri}
    command = ["-m", "mlflow", "ui", "--port", str(port), "--workers", "1"]
    return Server("MLflow UI", f"http://127.0.0.1:{port}", _started(command, store))


def _started(command: list[str], more: Mapping[str, str]) -> subprocess.Popen[bytes]:
    # MLflow's job workers serve traces of language models: six processes that nothing here asks for.
    homes = {"DAGSTER_HOME": str(dagster_home()), "MLOPS_HOME": str(home())}
    environment = {**os.environ, **homes, **more, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with _log().open("ab") as log:
        return subprocess.Popen(
            [sys.executable, *command], env=environment, stdout=log, stderr=log, start_new_session=True
        )


def _log() -> Path:
    return home() / "ui.log"


def _wait_until_it_answers(server: Server) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        _still_running(server)
        try:
            if httpx.get(server.url, timeout=2, trust_env=False).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.3)
    raise ServerEnded(f"The {server.name} did not answer within {START_SECONDS:.0f} s; see {_log()}")


def _watch(servers: list[Server]) -> NoReturn:
    while True:
        for server in servers:
            _still_running(server)
        time.sleep(0.5)


def _still_running(server: Server) -> None:
    if server.process.poll() is not None:
        raise ServerEnded(f"The {server.name} ended with code {server.process.returncode}; see {_log()}")


def _stop(servers: list[Server]) -> None:
    """End the servers and everything they started; a second Ctrl-C does not leave half of it behind."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    processes = [each for server in servers for each in _with_children(server.process.pid)]
    for process in processes:
        _send(process, signal.SIGTERM)
    _, alive = psutil.wait_procs(processes, STOP_SECONDS)
    for process in alive:
        _send(process, signal.SIGKILL)


def _with_children(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _send(process: psutil.Process, number: int) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
