"""A real `dagster dev` with the settings of a team, on a Postgres server: the flights project and jobs that wait."""

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
from typing import Any

import dagster as dg
import psutil
import pytest
import requests
import yaml
from dagster_graphql import DagsterGraphQLClient, DagsterGraphQLClientError

from mlops_assets.serving.gateway_process import stop
from mlops_assets_tests.daemon import ALONE, Alone
from mlops_assets_tests.deploy.postgres import postgres
from mlops_assets_tests.deploy.waiting import RELEASE

ROOT = Path(__file__).parents[2]
PASSWORD = "password-of-the-store-47"
PROJECT, WAITING = "mlops_assets.definitions", "mlops_assets_tests.deploy.waiting"
Interval = tuple[float, float]
# What runs here is launched: a monitor's run a minute, which takes most of one, would be ahead of it.
LAUNCHED = {document: fields for document, fields in ALONE.items() if document != "pipeline"}


@dataclass(frozen=True)
class Dev:
    """A running `dagster dev`: what its web server is asked, and the instance behind it."""

    home: Path
    port: int
    instance: dg.DagsterInstance
    environment: Mapping[str, str]

    def launch(self, job: str) -> str:
        """Ask the web server for a run of a job, as the Launchpad does; its id."""
        client = DagsterGraphQLClient("127.0.0.1", self.port)
        location = WAITING if job.startswith("hold_") else PROJECT
        return client.submit_job_execution(job, repository_location_name=location, repository_name="__repository__")

    def ask(self, query: str) -> Any:
        """The answer to a GraphQL query."""
        answer = requests.post(f"http://127.0.0.1:{self.port}/graphql", json={"query": query}, timeout=60)
        return answer.json()["data"]

    def status(self, run: str) -> str:
        """A run's status."""
        found = self.instance.get_run_by_id(run)
        assert found is not None
        return found.status.value

    def interval(self, run: str) -> Interval:
        """When a run began and ended, from its events."""
        found = self.instance.get_run_record_by_id(run)
        assert found is not None
        assert found.start_time is not None
        assert found.end_time is not None
        return found.start_time, found.end_time

    def wait(self, what: str, happened: Callable[[], bool], seconds: float = 900) -> None:
        """Wait until it happened."""
        deadline = time.monotonic() + seconds
        while not happened():
            if time.monotonic() > deadline:
                raise AssertionError(f"{what}: not within {seconds} s\n{self.log()[-4000:]}")
            time.sleep(0.2)

    def log(self) -> str:
        """What `dagster dev` printed."""
        return (self.home / "dev.log").read_text(errors="replace")


@contextmanager
def dagster_dev(home: Path, month: str = "2013-01", one_in: int | None = 4) -> Iterator[Dev]:
    """`dagster dev` with `deploy/dagster.yaml` and its stores on Postgres, for the flights project with every fourth
    flight of a month (the project as it is where `one_in` is None); all that was started is ended.
    """
    shutil.copytree(ROOT / "configs" / "flights", home / "configs" / "flights")
    settings = home / "dagster"
    settings.mkdir()
    shutil.copy(ROOT / "deploy" / "dagster.yaml", settings / "dagster.yaml")
    with postgres(("dagster", "mlflow")) as url:
        server = url.replace("mlops@", f"mlops:{PASSWORD}@")
        named = {
            "MLOPS_HOME": str(home),
            "MLOPS_CONFIGS": str(home / "configs"),
            "DAGSTER_HOME": str(settings),
            "DAGSTER_POSTGRES_URL": f"{server}/dagster",
            "MLOPS_MLFLOW_URI": f"{server}/mlflow",
            "FLIGHTS_THROUGH": month,
            RELEASE: str(home / "release"),
            "HOOK": "http://127.0.0.1:9/",
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "ignore",
        }
        environment = {**os.environ, **named}
        environment.pop("MLOPS_GATEWAY_PORT", None)
        with pytest.MonkeyPatch.context() as patch:
            for name, value in named.items():
                patch.setenv(name, value)
            with dg.DagsterInstance.from_config(str(settings)) as instance:
                if one_in is not None:
                    (home / "configs" / "flights" / "overrides.yaml").write_text(yaml.safe_dump(LAUNCHED))
                    Alone(home, environment, instance).feed(month)
                yield from _running(home, instance, environment)


def _running(home: Path, instance: dg.DagsterInstance, environment: Mapping[str, str]) -> Iterator[Dev]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = ["-m", "dagster", "dev", "-m", PROJECT, "-m", WAITING, "-p", str(port)]
    with (home / "dev.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, *command], env=dict(environment), stdout=log, stderr=log, cwd=home, start_new_session=True
        )
    dev = Dev(home, port, instance, environment)
    try:
        dev.wait("dagster dev answers", lambda: _answers(dev))
        yield dev
    finally:
        everything = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        process.send_signal(signal.SIGTERM)
        _, alive = psutil.wait_procs(everything, 20)
        for each in alive:
            each.kill()
        stop(home)


def _answers(dev: Dev) -> bool:
    """Whether both code locations are loaded."""
    try:
        found = dev.ask("{ repositoriesOrError { ... on RepositoryConnection { nodes { location { name } } } } }")
    except (requests.RequestException, ValueError, DagsterGraphQLClientError):
        return False
    return {each["location"]["name"] for each in found["repositoriesOrError"]["nodes"]} == {PROJECT, WAITING}
