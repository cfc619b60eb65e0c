"""Spark's own servers for tests: a standalone cluster of two workers, and Spark Connect; both end with the block."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPException
from pathlib import Path
from socket import create_connection, socket
from urllib.request import urlopen

from mlops_assets.lake.spark.session import DELTA, QUERIES, delta_jars

HERE = "127.0.0.1"
SMALL = {
    "spark.sql.shuffle.partitions": "2",
    "spark.databricks.delta.snapshotPartitions": "1",
    "spark.ui.enabled": "false",
    "spark.driver.host": HERE,
}
_DEPLOY = "org.apache.spark.deploy"


@contextmanager
def standalone(folder: Path) -> Iterator[str]:
    """The master's URL, once two workers have come; their executors' folders are below `folder`/work."""
    port, page = _free_port(), _free_port()
    url = f"spark://{HERE}:{port}"
    master = (f"{_DEPLOY}.master.Master", "--host", HERE, "--port", str(port), "--webui-port", str(page))
    worker = (f"{_DEPLOY}.worker.Worker", "--host", HERE, "--cores", "1", "--memory", "1g")
    with ExitStack() as running:
        running.enter_context(_process(folder / "master.log", "spark-class", *master))
        _wait(lambda: _listens(port), folder / "master.log")
        for number in range(2):
            log = folder / f"worker{number}.log"
            running.enter_context(_process(log, "spark-class", *worker, "--work-dir", str(folder / "work"), url))
        _wait(lambda: _alive(page) == 2, folder / "worker1.log")
        yield url


@contextmanager
def connect(folder: Path) -> Iterator[str]:
    """The URL of a Connect server with the Delta jars."""
    port = _free_port()
    address = {"spark.connect.grpc.binding.port": str(port), "spark.connect.grpc.binding.address": HERE}
    settings = {**DELTA, **QUERIES, **SMALL, **address}
    options = [part for name, value in settings.items() for part in ("--conf", f"{name}={value}")]
    server = ("--class", "org.apache.spark.sql.connect.service.SparkConnectServer", "spark-internal")
    command = ("spark-submit", "--packages", delta_jars(), "--master", "local[2]", *options, *server)
    with _process(folder / "connect.log", *command):
        _wait(lambda: _listens(port), folder / "connect.log")
        yield f"sc://{HERE}:{port}"


@contextmanager
def _process(log: Path, program: str, *options: str) -> Iterator[None]:
    import pyspark

    home = Path(pyspark.__file__).parent
    variables = {**os.environ, "SPARK_HOME": str(home), "SPARK_LOCAL_IP": HERE, "PYSPARK_PYTHON": sys.executable}
    command = [str(home / "bin" / program), *options]
    with log.open("w") as file, subprocess.Popen(command, stdout=file, stderr=file, env=variables) as started:
        try:
            yield
        finally:
            started.kill()  # a shell's background job hands down that it ignores gentler signals


def _free_port() -> int:
    with socket() as found:
        found.bind((HERE, 0))
        return int(found.getsockname()[1])


def _wait(ready: Callable[[], bool], log: Path, seconds: int = 240) -> None:
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, f"not there in {seconds} seconds: {log.read_text()[-2000:]}"
        time.sleep(0.2)


def _listens(port: int) -> bool:
    try:
        create_connection((HERE, port), timeout=1).close()
    except OSError:
        return False
    return True


def _alive(page: int) -> int:
    try:
        with urlopen(f"http://{HERE}:{page}/json/", timeout=5) as answer:
            return sum(each["state"] == "ALIVE" for each in json.load(answer)["workers"])
    except (OSError, HTTPException, ValueError):  # the page is there before its answers are
        return 0
