"""Start, find and stop the gateway of a home from another process."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from mlops_assets.serving.gateway.files import GatewayHome
from mlops_assets.serving.workers.fork_server_process import package_path

HEALTHY_SECONDS = 60.0
STOP_SECONDS = 60.0
LOG_LINES = 15
# Kept so that a gateway that was started here and ends is reaped.
_started: list[subprocess.Popen[bytes]] = []


class GatewayStartError(RuntimeError):
    """The gateway did not come up; the message ends with its last words."""


@dataclass(frozen=True)
class GatewayAddress:
    """Where a home's gateway answers, and whether this call started it."""

    url: str
    token_file: Path
    pid: int
    started: bool = False


def address(home: Path) -> GatewayAddress | None:
    """The running gateway of `home`; None if there is none, even if a killed one has left its address file."""
    place = GatewayHome(Path(home).resolve())
    try:
        written = json.loads(place.address_file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    if _process(written["pid"], written["started"]) is None:
        return None
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(written["host"], written["host"])
    url = f"http://{f'[{host}]' if ':' in host else host}:{written['port']}"
    return GatewayAddress(url, place.token_file, written["pid"])


def ensure_running(home: Path, *, host: str | None = None, port: int | None = None) -> GatewayAddress:
    """The healthy gateway of `home`, started in a session of its own where none runs.

    `host` and `port` count only for a start. Raises GatewayStartError with the log's last lines where it ends
    or does not answer within a minute.
    """
    place = GatewayHome(Path(home).resolve())
    deadline = time.monotonic() + HEALTHY_SECONDS
    child: subprocess.Popen[bytes] | None = None
    while time.monotonic() < deadline:
        found = address(place.root)
        if found is not None and _is_healthy(found.url):
            return replace(found, started=_won(child, found.pid))
        if child is not None and child.poll() not in (None, 0):
            raise GatewayStartError(f"The gateway of {place.root} ended with code {child.returncode}.{_tail(place)}")
        # One that ended with 0 met another that was starting, or still stopping: then there is none yet.
        if found is None and (child is None or child.returncode == 0):
            child = _start(place, host, port)
        time.sleep(0.05)
    if child is not None:
        child.terminate()
    raise GatewayStartError(f"The gateway of {place.root} did not answer within {HEALTHY_SECONDS:.0f} s.{_tail(place)}")


def stop(home: Path) -> bool:
    """Stop the gateway of `home`, letting it answer and write what it has; False where none runs."""
    found = address(home)
    if found is None:
        return False
    process = psutil.Process(found.pid)
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except psutil.TimeoutExpired:
        process.kill()
        process.wait(STOP_SECONDS)
    _started[:] = [child for child in _started if child.poll() is None]
    return True


def _won(child: subprocess.Popen[bytes] | None, pid: int) -> bool:
    """Whether `child` is the gateway; if not, it has ended: left alone it would follow the one that is stopped."""
    if child is None or child.pid == pid:
        return child is not None
    child.wait(HEALTHY_SECONDS)
    return False


def _start(place: GatewayHome, host: str | None, port: int | None) -> subprocess.Popen[bytes]:
    place.folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "mlops_assets.serving.gateway", "--home", str(place.root)]
    command += ["--host", host] if host is not None else []
    command += ["--port", str(port)] if port is not None else []
    with place.log_file.open("ab") as log:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **package_path()},
            start_new_session=True,
        )
    _started.append(child)
    return child


def _process(pid: int, started: float) -> psutil.Process | None:
    """The live process `pid` if it is the one that began at `started`: numbers are used again."""
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - started) < 1
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


def _is_healthy(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{url}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _tail(place: GatewayHome) -> str:
    if not place.log_file.exists():
        return ""
    lines = place.log_file.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]
    return " Its last words:\n" + "\n".join(lines)
