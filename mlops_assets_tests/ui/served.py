"""The flights project behind a real `mlops_assets ui`, as a person has it after a first month."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import dagster as dg
import httpx

from mlops_assets.serving.gateway_process import stop

ROOT = Path(__file__).parents[2]
PATIENCE = 900.0  # seconds, for machines that do other things too
MONTHLY = ("flights", "weather")
Value = TypeVar("Value")


@dataclass(frozen=True)
class Served:
    """Where the Dagster UI is, and the instance behind it."""

    home: Path
    url: str
    environment: Mapping[str, str]
    instance: dg.DagsterInstance

    def execute(self, job: str, through: str) -> None:
        """Run `flights_<job>` with the files up to a month, by the command line."""
        ops = {f"flights__source__{table}": {"config": {"through": through}} for table in MONTHLY}
        config = self.home / "run.json"
        config.write_text(json.dumps({"ops": ops}))
        job_of = ["-m", "mlops_assets.definitions", "-j", f"flights_{job}"]
        with (self.home / "jobs.log").open("ab") as log:
            subprocess.run(
                [sys.executable, "-m", "dagster", "job", "execute", *job_of, "-c", str(config)],
                env=dict(self.environment),
                check=True,
                stdout=log,
                stderr=log,
            )

    def runs(self) -> set[str]:
        """The runs there are."""
        return {run.run_id for run in self.instance.get_runs()}

    def succeeded(self, known: set[str]) -> dg.DagsterRun:
        """Wait until a run that is not among the `known` has succeeded."""

        def newest() -> dg.DagsterRun | None:
            runs = [run for run in self.instance.get_runs() if run.run_id not in known]
            assert not [run for run in runs if run.status == dg.DagsterRunStatus.FAILURE]
            return next((run for run in runs if run.status == dg.DagsterRunStatus.SUCCESS), None)

        return waited_for(newest)


def waited_for(ask: Callable[[], Value | None]) -> Value:
    """The first answer that is one."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if (answer := ask()) is not None:
            return answer
        time.sleep(0.5)
    raise AssertionError(f"not within {PATIENCE:.0f} s")


@contextmanager
def served(home: Path) -> Iterator[Served]:
    """January trained and deployed, February watched, and the UI open on it."""
    settings = home / "dagster"
    settings.mkdir(parents=True)
    shutil.copy(ROOT / "dagster.yaml", settings)
    environment = {
        **os.environ,
        **{"MLOPS_HOME": str(home), "MLOPS_CONFIGS": str(ROOT / "configs" / "flights"), "DAGSTER_HOME": str(settings)},
        **{"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"},
    }
    environment.pop("MLOPS_GATEWAY_PORT", None)
    with dg.DagsterInstance.from_config(str(settings)) as instance:
        port, mlflow_port = _free_port(), _free_port()
        flights = Served(home, f"http://127.0.0.1:{port}", environment, instance)
        flights.execute("pipeline", "2013-01")
        flights.execute("monitor", "2013-02")
        command = ["-m", "mlops_assets", "ui", "--port", str(port), "--mlflow-port", str(mlflow_port)]
        with (home / "command.log").open("wb") as log:
            process = subprocess.Popen([sys.executable, *command], env=environment, stdout=log, stderr=log)
        try:
            waited_for(lambda: _answers(flights.url))
            yield flights
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)
            stop(home)


def _answers(url: str) -> bool | None:
    try:
        return httpx.get(url, timeout=5, trust_env=False).is_success or None
    except httpx.TransportError:
        return None


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
