"""`make ui`: the Dagster UI on what was run, with the gateway and the MLflow UI beside it, until Ctrl-C."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from rich.console import Console

from mlops_assets.cli.session import dagster_home
from mlops_assets.config import home
from mlops_assets.serving.gateway_process import ensure_running, stop

MLFLOW_PORT = 5000


def run_ui(port: int, mlflow_port: int = MLFLOW_PORT) -> None:
    """Start the three servers, print their addresses, and stop all of them at Ctrl-C or when one ends."""
    console = Console()
    gateway = ensure_running(home())
    servers = {
        "Dagster": _server(
            "-m",
            "dagster",
            "dev",
            "-m",
            "mlops_assets.definitions",
            "-p",
            str(port),
            "--log-level",
            "warning",
        ),
        "MLflow": _server(
            "-m",
            "mlflow",
            "ui",
            "--backend-store-uri",
            f"sqlite:///{home() / 'mlflow.db'}",
            "--port",
            str(mlflow_port),
        ),
    }
    console.print(f"Dagster UI  http://127.0.0.1:{port}")
    console.print(f"MLflow UI   http://127.0.0.1:{mlflow_port}")
    console.print(f"Gateway     {gateway.url}  (token in {gateway.token_file})")
    console.print("Ctrl-C stops all of them.")
    signal.signal(signal.SIGTERM, lambda *_: _interrupt())
    try:
        _wait(servers, console)
    except KeyboardInterrupt:
        console.print("Stopping ...")
    finally:
        for server in servers.values():
            server.send_signal(signal.SIGINT)
        for server in servers.values():
            server.wait(timeout=30)
        stop(home())


def _server(*arguments: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "DAGSTER_HOME": str(dagster_home()), "MLOPS_HOME": str(home())}
    with Path(home() / "ui.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, *arguments], env=environment, stdout=log, stderr=log, start_new_session=True
        )


def _wait(servers: dict[str, subprocess.Popen[bytes]], console: Console) -> None:
    while True:
        for name, server in servers.items():
            if server.poll() is not None:
                console.print(f"{name} ended with code {server.returncode}; see {home() / 'ui.log'}")
                return
        time.sleep(0.5)


def _interrupt() -> None:
    raise KeyboardInterrupt
