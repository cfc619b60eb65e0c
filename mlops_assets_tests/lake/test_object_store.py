"""Sources in an object store: a server that speaks S3, in a process of its own."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import polars as pl
import pytest

from mlops_assets.lake import delta
from mlops_assets.lake.errors import LakeError, Overtaken, SourceMissing
from mlops_assets.lake.polars import POLARS
from mlops_assets_tests.lake.conftest import Lake


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def bucket() -> Iterator[Any]:
    import boto3

    port = free_port()
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}
    url = f"http://127.0.0.1:{port}"
    with pytest.MonkeyPatch.context() as environment:
        for name, value in {**keys, "AWS_ALLOW_HTTP": "true", "AWS_ENDPOINT_URL": url}.items():
            environment.setenv(name, value)
        for _ in range(300):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        client = boto3.client("s3", endpoint_url=url)
        client.create_bucket(Bucket="landing")
        yield client
    server.kill()
    server.wait()


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path, POLARS)


@pytest.mark.parametrize(
    ("source", "ids"),
    [
        ("s3://landing/orders/", [1, 2]),
        ("s3://landing/orders/day=2024-01-01/a.csv", [1]),
        ("s3a://landing/orders/*/b.csv", [2]),
        ("s3://landing/**/[ab].csv", [1, 2]),
    ],
)
def test_files_of_a_bucket_are_ingested_once(lake: Lake, bucket: Any, source: str, ids: list[int]) -> None:
    for key, number in (("day=2024-01-01/a.csv", 1), ("day=2024-01-02/b.csv", 2), ("_SUCCESS", 0)):
        bucket.put_object(Bucket="landing", Key=f"orders/{key}", Body=f"id\n{number}\n".encode())
    config = lake.config(source_path=source)
    lake.load(config)
    assert sorted(delta.scan(lake.tables.silver).collect()["id"]) == ids
    assert lake.ingest(config).files == ()


def test_a_delta_table_of_a_bucket_brings_what_was_added(lake: Lake, bucket: Any) -> None:
    source = "s3://landing/table"
    config = lake.config(source_path=source, format="delta")
    delta.append(source, pl.DataFrame({"id": [1]}), transactions={})
    lake.load(config)
    delta.append(source, pl.DataFrame({"id": [2]}), transactions={})
    assert lake.load(config).rows.written == 1
    assert sorted(delta.scan(lake.tables.silver).collect()["id"]) == [1, 2]


def test_tables_may_lie_in_a_bucket(lake: Lake, bucket: Any) -> None:
    from mlops_assets.lake.refine import DataTables

    lake.tables = DataTables(*(f"s3://landing/warehouse/{name}" for name in ("bronze", "silver", "quarantine")))
    rule = {"name": "positive", "condition": "id > 0"}
    for number in (1, 2):
        lake.write(f"{number}.csv", f"id\n{number}\n-1\n")
        lake.load(lake.config(validation_rules=[rule], max_error_fraction=1))
    assert sorted(delta.scan(lake.tables.silver).collect()["id"]) == [1, 2]
    assert delta.rows(lake.tables.quarantine) == 2


def test_of_two_that_make_a_table_of_a_bucket_at_once_one_brings_its_rows(bucket: Any) -> None:
    for number in range(4):
        path, start = f"s3://landing/raced/{number}", Barrier(2)

        def make(path: str = path, start: Barrier = start) -> int:
            start.wait()
            rows = pl.DataFrame({"id": [1, 2]})
            try:
                return delta.append(path, rows, transactions={"load": 1}, seen={"load": None}).inserted
            except Overtaken:
                return 0

        with ThreadPoolExecutor(2) as pool:
            written = sorted(each.result() for each in [pool.submit(make) for _ in range(2)])
        assert (written, delta.rows(path)) == ([0, 2], 2)


def test_what_is_not_in_the_bucket_is_told(lake: Lake, bucket: Any) -> None:
    with pytest.raises(SourceMissing, match="no csv file at s3://landing/nothing"):
        lake.ingest(lake.config(source_path="s3://landing/nothing"))
    with pytest.raises(LakeError, match="nowhere"):
        lake.ingest(lake.config(source_path="s3://nowhere/x"))


def test_a_file_of_a_web_server_is_ingested_once(lake: Lake) -> None:
    folder = lake.source / "web"
    folder.mkdir()
    (folder / "a.csv").write_text("id\n1\n")
    port = free_port()
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(folder)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ})
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        config = lake.config(source_path=f"http://127.0.0.1:{port}/a.csv")
        assert lake.load(config).rows.written == 1
        assert lake.ingest(config).files == ()
    finally:
        server.kill()
        server.wait()
