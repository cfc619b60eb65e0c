"""`dagster dev` as a team runs it, on a real Postgres server: the flights pipeline, and runs that wait their turn."""

import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path

import pytest

from mlops_assets.registry import ModelRegistry
from mlops_assets_tests.deploy.dev import PASSWORD, Dev, Interval, dagster_dev
from mlops_assets_tests.deploy.postgres import program

pytestmark = pytest.mark.slow
OF_THE_PROJECT = ["flights_pipeline", "flights_maintenance", "flights_maintenance"]
MOST = 4
LOOK_SECONDS = 5  # between two looks of the daemon at the queue


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    with dagster_dev(tmp_path_factory.mktemp("dev")) as made:
        yield made


def launched(dev: Dev, jobs: list[str]) -> dict[str, list[str]]:
    """Runs by job, all asked for at the same moment."""
    with ThreadPoolExecutor(len(jobs)) as people:
        found = list(people.map(dev.launch, jobs))
    return {job: [run for name, run in zip(jobs, found, strict=True) if name == job] for job in jobs}


def overlapping(intervals: list[Interval]) -> bool:
    return any(one[0] < other[1] and other[0] < one[1] for one, other in combinations(intervals, 2))


def test_the_flights_pipeline_runs_and_a_projects_runs_go_one_after_the_other(dev: Dev) -> None:
    runs = launched(dev, OF_THE_PROJECT)
    every = [run for found in runs.values() for run in found]
    assert sum(dev.status(run) in ("QUEUED", "NOT_STARTED") for run in every) >= 2

    dev.wait("the project's runs end", lambda: all(dev.status(run) in ("SUCCESS", "FAILURE") for run in every))

    assert {dev.status(run) for run in every} == {"SUCCESS"}, dev.log()[-4000:]
    intervals = [dev.interval(run) for run in every]
    assert not overlapping(intervals)
    assert type(dev.instance.run_storage).__name__ == "PostgresRunStorage"
    champion = ModelRegistry(dev.environment["MLOPS_MLFLOW_URI"], dev.home / "mlartifacts").champion("flight_delay")
    assert champion is not None
    assert not (dev.home / "mlflow.db").exists()
    print("seconds:", {job: [round(b - a) for a, b in map(dev.interval, found)] for job, found in runs.items()})


def test_four_runs_go_at_once_and_one_at_an_endpoint(dev: Dev) -> None:
    release = Path(dev.environment["RELEASE_FILE"])
    deploying = dev.launch("hold_d")
    dev.wait("one deploys", lambda: dev.status(deploying) == "STARTED")
    both = [deploying, dev.launch("hold_e")]
    others = [run for found in launched(dev, ["hold_a", "hold_b", "hold_c"]).values() for run in found]
    dev.wait("the others overtake the one that waits", lambda: all(dev.status(run) == "STARTED" for run in others))
    assert sorted(dev.status(run) for run in both) == ["QUEUED", "STARTED"]

    (fifth,) = launched(dev, ["hold_a"])["hold_a"]
    (project,) = launched(dev, ["flights_maintenance"])["flights_maintenance"]
    time.sleep(2 * LOOK_SECONDS)
    every = [*both, *others, fifth, project]
    assert sum(dev.status(run) == "STARTED" for run in every) == MOST

    release.touch()
    dev.wait("all end", lambda: all(dev.status(run) in ("SUCCESS", "FAILURE") for run in every))
    assert {dev.status(run) for run in every} == {"SUCCESS"}
    intervals = [dev.interval(run) for run in every]
    assert not overlapping([dev.interval(run) for run in both])
    assert not overlapping([dev.interval(run) for run in (others[0], fifth)])
    at_once = [sum(begin <= moment < end for begin, end in intervals) for moment, _ in intervals]
    assert max(at_once) == MOST


def test_the_stores_password_is_in_neither_of_them_nor_in_what_dagster_printed(dev: Dev) -> None:
    host, port = dev.environment["DAGSTER_POSTGRES_URL"].rpartition("@")[2].partition("/")[0].split(":")
    for database in ("dagster", "mlflow"):
        command = [program("pg_dump"), "-h", host, "-p", port, "-U", "mlops", database]
        dump = subprocess.run(command, check=True, capture_output=True).stdout
        assert b"CREATE TABLE public" in dump
        assert PASSWORD.encode() not in dump
    assert PASSWORD not in dev.log()
