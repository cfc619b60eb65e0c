"""Serving one row of the same pipeline: this gateway against `mlflow models serve`, FastAPI and a raw ASGI echo.

The pipeline scales ten numbers, one-hot encodes five texts and ends in gradient boosting or in logistic regression.
wrk asks each server in turn with 1 and with 16 connections; ratios are taken in the same run, best of ROUNDS short
rounds, because other load on the machine moves absolute figures. CPU is that of a server and all its children, the
writer of the log included, until what a last load has left is written. What the log costs is told twice, as throughput
and as CPU time, each the median of pairs of rounds without and with it, and the range of the pairs.
Answers are compared with scikit-learn's to the bit first.

    python benchmarks/serving.py [--rounds ROUNDS] [--pairs PAIRS] [--only log]
"""

import argparse
import json
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
from _serving_load import SETTLE_SECONDS, Load, LogCost, cpu_per_request, log_cost, measured, memory
from _serving_servers import NUMBERS, ROW, TEXTS, deploy, free_port, peers, save_models, served_by

from mlops_assets.serving import gateway_process
from mlops_assets.serving.endpoints import GatewayEndpoints
from mlops_assets.serving.model import load_served_model


def differing(gateway: GatewayEndpoints, models: Mapping[str, Path]) -> None:
    """Bit-equal answers: 2,000 rows over HTTP against scikit-learn, asked one row at a time where it matters."""
    random = np.random.default_rng(1)
    rows = pd.DataFrame(
        {
            **{name: random.normal(size=2_000) * 5 for name in NUMBERS},
            **{name: random.choice(["v1", "v7", "new"], 2_000) for name in TEXTS},
        }
    )
    for name, path in models.items():
        served = gateway.ask(name, rows, f"{name}-1")["probability"].to_numpy()
        estimator = load_served_model(path).estimator
        matrix, last = estimator[:-1].transform(rows), estimator.steps[-1][1]
        alone = np.array([last.predict_proba(matrix[place : place + 1])[0, 1] for place in range(len(rows))])
        print(f"{name}: {int((served != alone).sum())} of {len(rows)} probabilities differ from scikit-learn's")


def main() -> None:
    """Measure, then print a table and the ratios."""
    parser = argparse.ArgumentParser(description="What serving a row costs.")
    parser.add_argument("--rounds", type=int, default=8, help="Short rounds of each server, of which the best counts.")
    parser.add_argument("--pairs", type=int, default=5, help="Pairs of loads without and with the log.")
    parser.add_argument("--only", choices=["log"], help="What the log costs, without the peers.")
    given = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        models, home = save_models(folder), folder / "home"
        address = gateway_process.ensure_running(home, port=0)
        stack.callback(gateway_process.stop, home)
        script, gateway = _script(folder, address.token_file.read_text().strip()), psutil.Process(address.pid)
        with GatewayEndpoints.of(address.url, home) as endpoints:
            urls = deploy(endpoints, address.url, models, folder)
            if given.only is None:
                differing(endpoints, models)
                small(endpoints, gateway)
                deploy(endpoints, address.url, models, folder)
        if given.only is None:
            compare(stack, folder, models, urls, script, gateway, given.rounds)
        for name in models:
            for connections in (1, 16):
                pair = urls[f"gateway {name}"], urls[f"gateway {name}-logged"]
                tell(name, connections, log_cost(pair, script, connections, gateway, given.pairs))


def small(endpoints: GatewayEndpoints, gateway: psutil.Process) -> None:
    """Memory with one logged endpoint; the others are deleted."""
    for name in ("linear-logged", "linear", "boosting"):
        endpoints.delete(name)
    endpoints.ask("boosting-logged", pd.DataFrame([ROW]), "boosting-1")
    time.sleep(SETTLE_SECONDS)
    largest, together = memory(gateway)
    print(f"gateway with one logged endpoint: largest process {largest:.0f} MB, all {together:.0f} MB (PSS)")


def compare(
    stack: ExitStack,
    folder: Path,
    models: Mapping[str, Path],
    urls: Mapping[str, str],
    script: Path,
    gateway: psutil.Process,
    rounds: int,
) -> None:
    """The gateway's endpoints and the peers, side by side; the peers run until `stack` ends."""
    peer: dict[str, psutil.Process] = {}
    for name, command, ready, environment in peers(folder, models):
        port = free_port()
        made = served_by([part.replace("PORT", str(port)) for part in command], port, ready, **environment)
        peer[name], urls = stack.enter_context(made), {**urls, name: f"http://127.0.0.1:{port}/invocations"}
    servers = {**dict.fromkeys(urls, gateway), **peer}
    report(measured(urls, script, rounds), cpu_per_request(urls, script, servers))
    for name, process in peer.items():
        largest, together = memory(process)
        print(f"{name:26} {largest:5.0f} MB largest, {together:5.0f} MB all (PSS)")


def report(rates: Mapping[tuple[str, int], Load], cpu: Mapping[tuple[str, int], float]) -> None:
    """The table and what is asked of it."""
    print(
        f"{'server':26} {'p50 ms at 1':>12} {'req/s at 1':>11} {'req/s at 16':>12} {'CPU ms at 1 / 16':>18}"
        f" {'x mlflow at 1 / 16':>20}"
    )
    base = {connections: rates["mlflow models serve", connections].rate for connections in (1, 16)}
    for name in dict.fromkeys(name for name, _ in rates):
        one, many = rates[name, 1], rates[name, 16]
        ratio = f"{one.rate / base[1]:.1f} / {many.rate / base[16]:.1f}"
        spent = f"{cpu[name, 1]:.2f} / {cpu[name, 16]:.2f}"
        print(f"{name:26} {one.median:12.2f} {one.rate:11.0f} {many.rate:12.0f} {spent:>18} {ratio:>20}")


def tell(name: str, connections: int, cost: LogCost) -> None:
    """What the log costs, both ways."""
    least, most = cost.pairs
    print(
        f"{name} at {connections}: the log costs {100 * cost.throughput:.1f} % of throughput"
        f" ({100 * least:.1f} to {100 * most:.1f}), {100 * cost.cpu:.1f} % of CPU"
        f" ({1000 * cost.gateway_ms:.0f} us a request in the gateway, {1000 * cost.writer_ms:.0f} us in its writer)",
        flush=True,
    )


def _script(folder: Path, token: str) -> Path:
    """What wrk sends: one row, with the token."""
    script = folder / "post.lua"
    lines = ['wrk.method = "POST"', f"wrk.body = [[{json.dumps({'dataframe_records': [ROW]})}]]"]
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    lines += [f'wrk.headers["{name}"] = "{value}"' for name, value in headers.items()]
    script.write_text("\n".join(lines))
    return script


if __name__ == "__main__":
    main()
