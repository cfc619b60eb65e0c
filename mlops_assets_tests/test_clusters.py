"""The data part of a small project on a standalone cluster of two workers, and through Spark Connect."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import create_connection, socket
from urllib.request import urlopen

import pytest

from mlops_assets.lake.spark.session import DELTA, QUERIES, delta_jars

pytestmark = [pytest.mark.spark, pytest.mark.slow]
ORDERS = "id,amount,at\n1,10,2024-01-01\n2,-5,2024-01-02\n3,x,2024-01-03\n1,11,2024-01-04\n"
DOCUMENT = {
    "destination_path": "shop.orders",
    "format": "csv",
    "columns": {"id": "int", "amount": "float", "at": "datetime"},
    "primary_keys": ["id"],
    "max_error_fraction": 1.0,
    "validation_rules": [{"name": "positive", "condition": "amount > 0"}],
}
# A process of its own for each session: one Python process has one, classic or Connect.
RUN = """
import json, sys
from pathlib import Path
from mlops_assets.config import DataConfig
from mlops_assets.config.platforms import load_platform
from mlops_assets.lake import delta
from mlops_assets.lake.batch import Run
from mlops_assets.lake.ingest import ingest
from mlops_assets.lake.refine import DataTables, refine
from mlops_assets.lake.spark.engine import SparkEngine

folder, document = Path(sys.argv[1]), json.loads(sys.argv[2])
config = DataConfig.model_validate({**document, "source_path": str(folder / "orders")})
tables = DataTables(*(str(folder / name) for name in ("bronze", "silver", "quarantine")))
engine = SparkEngine(load_platform("spark", folder / "configs").spark)
ingest(config, config.source_path, tables.bronze, engine)
done = refine(config, tables, Run("run"), {}, engine)
rows = done.rows
silver = delta.scan(tables.silver).collect()["id"].to_list()
told = {"read": rows.read, "written": rows.written, "quarantined": rows.quarantined, "balanced": rows.balanced}
print(json.dumps({**told, "silver": silver, "kind": type(engine.session).__module__}))
engine.session.stop()
"""


def _free_port() -> int:
    with socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def _process(folder: Path, *command: str, **environment: str) -> Iterator[None]:
    """One of Spark's own processes, ended at the end; its log is in the folder."""
    import pyspark

    home = Path(pyspark.__file__).parent
    variables = {**os.environ, "SPARK_HOME": str(home), "PYSPARK_PYTHON": sys.executable, **environment}
    with (folder / f"{command[1].rsplit('.', 1)[-1]}-{time.monotonic_ns()}.log").open("w") as log:
        made = subprocess.Popen([str(home / "bin" / command[0]), *command[1:]], stdout=log, stderr=log, env=variables)
        try:
            yield
        finally:
            made.terminate()
            made.wait(60)


def _wait(ready: Callable[[], bool], what: str, seconds: int = 240) -> None:
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end, f"{what} did not come up in {seconds} seconds"
        time.sleep(0.5)


def _listens(port: int) -> bool:
    try:
        create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _run(folder: Path, spark: str) -> dict[str, object]:
    (folder / "orders").mkdir()
    (folder / "orders" / "a.csv").write_text(
        "id,amount,at\n1,10,2024-01-01\n2,-5,2024-01-02\n3,x,2024-01-03\n1,11,2024-01-04\n"
    )
    (folder / "configs" / "platforms").mkdir(parents=True)
    (folder / "configs" / "platforms" / "spark.yaml").write_text(f"name: spark\nspark:\n{spark}")
    command = [sys.executable, "-c", RUN, str(folder), json.dumps(DOCUMENT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


EXPECTED = {"read": 4, "written": 1, "quarantined": 2, "balanced": True, "silver": [1]}


def test_a_standalone_cluster_of_two_workers_runs_a_data_document(tmp_path: Path) -> None:
    port, page = _free_port(), _free_port()
    master = ("spark-class", "org.apache.spark.deploy.master.Master", "--host", "127.0.0.1")
    worker = ("spark-class", "org.apache.spark.deploy.worker.Worker", "--cores", "1", "--memory", "1g")
    url = f"spark://127.0.0.1:{port}"

    def workers() -> list[dict[str, object]]:
        try:
            with urlopen(f"http://127.0.0.1:{page}/json/", timeout=5) as answer:
                return [each for each in json.load(answer)["workers"] if each["state"] == "ALIVE"]
        except OSError:
            return []

    with _process(tmp_path, *master, "--port", str(port), "--webui-port", str(page), SPARK_LOCAL_IP="127.0.0.1"):
        _wait(lambda: _listens(port), "the master")
        work = ("--work-dir", str(tmp_path / "work"), url)
        with _process(tmp_path, *worker, *work), _process(tmp_path, *worker, *work):
            _wait(lambda: len(workers()) == 2, "two workers")
            found = _run(
                tmp_path,
                f'  master: "{url}"\n  settings: {{spark.executor.memory: 512m, spark.driver.host: 127.0.0.1, '
                "spark.sql.shuffle.partitions: '2', spark.databricks.delta.snapshotPartitions: '2'}\n",
            )
    assert found == {**EXPECTED, "kind": "pyspark.sql.session"}
    assert len(list((tmp_path / "work").glob("app-*/*"))) == 2, "both workers ran an executor"


def test_a_spark_connect_server_runs_a_data_document(tmp_path: Path) -> None:
    port = _free_port()
    settings = {
        **DELTA,
        **QUERIES,
        "spark.connect.grpc.binding.port": str(port),
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.sql.shuffle.partitions": "2",
        "spark.databricks.delta.snapshotPartitions": "2",
        "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1",
    }
    options = [part for name, value in settings.items() for part in ("--conf", f"{name}={value}")]
    server = "org.apache.spark.sql.connect.service.SparkConnectServer"
    start = ("spark-submit", "--class", server, "--packages", delta_jars(), "--master", "local[2]", *options)
    with _process(tmp_path, *start, "spark-internal"):
        _wait(lambda: _listens(port), "the Connect server")
        found = _run(tmp_path, f'  remote: "sc://127.0.0.1:{port}"\n')
    assert found == {**EXPECTED, "kind": "pyspark.sql.connect.session"}
