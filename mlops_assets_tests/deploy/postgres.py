"""A Postgres server of a test's own, on a free port, with two databases."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest


def program(name: str) -> str:
    """The path of one of Postgres' programs; skips the test where it is not installed."""
    debian = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    found = str(debian[-1]) if debian else shutil.which(name)
    if found is None:
        pytest.skip("Postgres is not installed")
    return found


@contextmanager
def postgres(databases: tuple[str, ...]) -> Iterator[str]:
    """The server's URL without a database, while it runs, in a folder of its own: those of pytest are closed to the
    server's user by each test run that starts.
    """
    with TemporaryDirectory(prefix="postgres_", dir="/tmp") as folder:
        yield from _served(Path(folder), databases)


def _served(folder: Path, databases: tuple[str, ...]) -> Iterator[str]:
    initdb, pg_ctl, createdb = program("initdb"), program("pg_ctl"), program("createdb")
    # The server refuses to run as root.
    somebody = "postgres" if os.geteuid() == 0 else None
    if somebody:
        shutil.chown(folder, somebody, somebody)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    data, options = str(folder / "data"), f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"

    def run(*command: str) -> None:
        subprocess.run(command, user=somebody, check=True, stdout=subprocess.DEVNULL, cwd=folder)

    run(initdb, "-D", data, "-A", "trust", "-U", "mlops", "--no-sync")
    run(pg_ctl, "-D", data, "-o", options, "-l", str(folder / "log"), "-w", "start")
    try:
        for name in databases:
            run(createdb, "-h", "127.0.0.1", "-p", str(port), "-U", "mlops", name)
        yield f"postgresql+psycopg2://mlops@127.0.0.1:{port}"
    finally:
        run(pg_ctl, "-D", data, "-m", "fast", "-t", "120", "stop")
