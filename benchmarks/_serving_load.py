"""What `serving.py` measures of a server: its rate under wrk, its CPU time and memory, and what its log costs."""

import re
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import NamedTuple

import psutil

# After a load of a logged endpoint, the time in which the log is written.
SETTLE_SECONDS = 8
SECONDS, CPU_SECONDS, LOG_SECONDS = 1, 5, 6
WRITER = "mlops_assets.serving.inference_log.writer"


class Load(NamedTuple):
    """Requests per second, median milliseconds, requests."""

    rate: float
    median: float
    requests: int


class LogCost(NamedTuple):
    """What logging costs: the share of the throughput, and of the CPU time of a request, and that time in ms; the
    pairs' least and greatest share of the throughput.
    """

    throughput: float
    cpu: float
    gateway_ms: float
    writer_ms: float
    pairs: tuple[float, float]


def load(url: str, script: Path, connections: int, seconds: int = SECONDS) -> Load:
    """One load; every answer must be a 200."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script), url]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in told, told
    requests = int(re.search(r"(\d+) requests in", told)[1])  # type: ignore[index]
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", told)[1])  # type: ignore[index]
    amount, unit = re.search(r"50%\s+([\d.]+)(us|ms|s)", told).groups()  # type: ignore[union-attr]
    return Load(rate, float(amount) * {"us": 0.001, "ms": 1, "s": 1000}[unit], requests)


def cpu_seconds(process: psutil.Process) -> float:
    """CPU time of a process and its children, user and system."""
    times = [one.cpu_times() for one in [process, *process.children(recursive=True)]]
    return sum(each.user + each.system for each in times)


def memory(process: psutil.Process) -> tuple[float, float]:
    """MB of a server: the largest process, and all together with what they share counted once."""
    each = [one.memory_full_info() for one in [process, *process.children(recursive=True)]]
    return max(one.rss for one in each) / 1e6, sum(one.pss for one in each) / 1e6


def measured(urls: Mapping[str, str], script: Path, rounds: int) -> dict[tuple[str, int], Load]:
    """The best of the rounds of each server at 1 and 16 connections, the rounds interleaved."""
    best: dict[tuple[str, int], Load] = {}
    for _ in range(rounds):
        for connections in (1, 16):
            for name, url in urls.items():
                found = load(url, script, connections)
                best[name, connections] = max(best.get((name, connections), found), found)
    return best


def cpu_per_request(
    urls: Mapping[str, str], script: Path, servers: Mapping[str, psutil.Process]
) -> dict[tuple[str, int], float]:
    """CPU milliseconds of a server a request, at 1 and 16 connections."""
    time.sleep(SETTLE_SECONDS)
    found = {}
    for connections in (1, 16):
        for name, url in urls.items():
            before = cpu_seconds(servers[name])
            requests = load(url, script, connections, CPU_SECONDS).requests
            time.sleep(SETTLE_SECONDS if name.endswith("-logged") else 0)
            found[name, connections] = 1000 * (cpu_seconds(servers[name]) - before) / requests
    return found


def log_cost(urls: tuple[str, str], script: Path, connections: int, gateway: psutil.Process, count: int) -> LogCost:
    """What the log costs: medians over pairs of a load without and one with it, each pair the other way round than the
    last. A load is longer than the writer waits, and after one with the log the writer is let finish.
    """
    pairs = []
    for each in range(count):
        order = urls if each % 2 else urls[::-1]
        found = {url: _loaded(url, script, connections, gateway, url == urls[1]) for url in order}
        (rate, spent, _), (logged_rate, logged_spent, writer) = found[urls[0]], found[urls[1]]
        more = logged_spent - spent
        pairs.append((1 - logged_rate / rate, (more + writer) / spent, more, writer))
    shares = [throughput for throughput, *_ in pairs]
    throughput, cpu, gateway_ms, writer_ms = (median(column) for column in zip(*pairs, strict=True))
    return LogCost(throughput, cpu, gateway_ms, writer_ms, (min(shares), max(shares)))


def _loaded(
    url: str, script: Path, connections: int, gateway: psutil.Process, logged: bool
) -> tuple[float, float, float]:
    """Requests per second, and CPU milliseconds a request: of all but the log's writer, and of the writer."""
    before, writer = cpu_seconds(gateway), _writer_seconds(gateway)
    found = load(url, script, connections, LOG_SECONDS)
    time.sleep(SETTLE_SECONDS if logged else 0)
    written = _writer_seconds(gateway) - writer
    spent = cpu_seconds(gateway) - before - written
    return found.rate, 1000 * spent / found.requests, 1000 * written / found.requests


def _writer_seconds(gateway: psutil.Process) -> float:
    return sum(cpu_seconds(each) for each in gateway.children() if WRITER in each.cmdline())
