"""`python -m mlops_assets.serving.gateway`: one gateway per `MLOPS_HOME`, serving what was deployed there."""

import errno
import json
import os
import signal
import socket
import sys
from pathlib import Path

import click
import psutil
import uvicorn
from filelock import FileLock, Timeout

from mlops_assets.serving.gateway.application import application
from mlops_assets.serving.gateway.files import (
    GatewayHome,
    TokenFileError,
    home_from_environment,
    read_token,
    require_private_token,
    write_atomically,
)
from mlops_assets.serving.gateway.fleet import Fleet
from mlops_assets.serving.gateway.logs import log_to_standard_error
from mlops_assets.serving.loopback import is_loopback
from mlops_assets.serving.workers.fork_server_process import ONE_THREAD

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8787
PORTS_TRIED = 100
PORT = click.IntRange(0, 65535)
# uvicorn waits this long for requests under way when it is told to stop.
DRAIN_SECONDS = 30


@click.command()
@click.option("--home", type=click.Path(path_type=Path), help="Folder of state and token [MLOPS_HOME, .mlops].")
@click.option("--host", envvar="MLOPS_GATEWAY_HOST", default=DEFAULT_HOST, show_default=True)
@click.option("--port", envvar="MLOPS_GATEWAY_PORT", type=PORT, help=f"Port to insist on [{DEFAULT_PORT} or next].")
def main(home: Path | None, host: str, port: int | None) -> None:
    """Serve the endpoints of one home over Databricks' serving REST protocol until SIGTERM."""
    place = GatewayHome(home.resolve()) if home else home_from_environment()
    try:
        place.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        problem = f"nothing can be written to {place.root}: {error.strerror}; set MLOPS_HOME to a folder of yours."
        raise click.ClickException(problem) from None
    lock = FileLock(place.lock_file)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        click.echo(f"A gateway of {place.root} runs already at {_address_of_the_first(place)}.")
        return
    with lock:
        _serve(place, host, port)


def listen(host: str, port: int | None) -> socket.socket:
    """A listening socket: at `port` where one is asked for, else at 8787 or the next free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for candidate in [port] if port is not None else range(DEFAULT_PORT, DEFAULT_PORT + PORTS_TRIED):
        try:
            return socket.create_server((host, candidate), family=family, backlog=1024)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or candidate == port:
                raise click.ClickException(f"cannot listen at {host}:{candidate}: {error.strerror}.") from None
    raise click.ClickException(f"no port from {DEFAULT_PORT} to {DEFAULT_PORT + PORTS_TRIED - 1} is free on {host}.")


def _serve(home: GatewayHome, host: str, port: int | None) -> None:
    log_to_standard_error()
    os.environ.update(ONE_THREAD)
    try:
        token = read_token(home, create=True)
        if not is_loopback(host):
            require_private_token(home)
    except TokenFileError as error:
        raise click.ClickException(str(error)) from None
    listener = listen(host, port)
    actual = listener.getsockname()[1]
    if port is None and actual != DEFAULT_PORT:
        click.echo(f"Port {DEFAULT_PORT} is taken; using {actual}.")
    server = uvicorn.Server(
        uvicorn.Config(
            application(Fleet(home), token, local=is_loopback(host)),
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            log_level="warning",
            timeout_keep_alive=75,
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )
    )
    _write_address(home, host, actual)
    click.echo(f"Serving {home.root} at http://{host}:{actual} (token in {home.token_file}).")
    # uvicorn raises the signal again once it has drained; without this it would end the process there.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        server.run(sockets=[listener])
    finally:
        home.address_file.unlink(missing_ok=True)


def _write_address(home: GatewayHome, host: str, port: int) -> None:
    process = psutil.Process()
    address = {"pid": process.pid, "host": host, "port": port, "started": process.create_time()}
    write_atomically(home.address_file, json.dumps(address))


def _address_of_the_first(home: GatewayHome) -> str:
    try:
        address = json.loads(home.address_file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return "an address it has not written yet"
    return f"http://{address['host']}:{address['port']} (pid {address['pid']})"


if __name__ == "__main__":
    main()
