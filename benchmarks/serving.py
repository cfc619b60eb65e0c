"""Serving one row of the same pipeline: this gateway against `mlflow models serve`, FastAPI and a raw ASGI echo.

The pipeline scales ten numbers, one-hot encodes five texts and ends in gradient boosting or in logistic regression.
wrk asks each server in turn with 1 and with 16 connections; ratios are taken in the same run, best of ROUNDS short
rounds, because other load on the machine moves absolute figures. CPU is that of a server and all its children, the
writer of the log included, until what a last load has left is written.
Answers are compared with scikit-learn's to the bit first.
"""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import numpy as np
import pandas as pd
import psutil

from mlops_assets.serving import gateway_process
from mlops_assets.serving.endpoints import GatewayEndpoints
from mlops_assets.serving.model import load_served_model
from mlops_assets.serving.spec import EndpointSpec

# After a load of a logged endpoint, the time in which the log is written.
SETTLE_SECONDS = 8
SECONDS, CPU_SECONDS, ROUNDS = 1, 5, int(os.environ.get("ROUNDS", "8"))
NUMBERS, TEXTS = [f"n{place}" for place in range(10)], [f"s{place}" for place in range(5)]
ROW = {**{name: 0.1 * place for place, name in enumerate(NUMBERS)}, **dict.fromkeys(TEXTS, "v1")}
ECHO = """
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    body = (await receive())["body"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": body})
"""
FASTAPI = """
import os, pandas as pd, skops.io
from fastapi import Body, FastAPI
from mlops_assets.trusted_types import load_model_file
model, app = load_model_file(os.environ["MODEL"]), FastAPI()
@app.get("/ping")
def ping(): return {}
@app.post("/invocations")
async def predict(body: dict = Body()):
    rows = pd.DataFrame(body["dataframe_records"])
    return {"predictions": model.predict_proba(rows)[:, 1].tolist()}
"""


def save_models(folder: Path) -> dict[str, Path]:
    """The two pipelines as MLflow models."""
    import mlflow
    from mlflow.models import infer_signature
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    from mlops_assets.trusted_types import trusted_types_of

    random = np.random.default_rng(0)
    numbers = {name: random.normal(size=20_000) * (place + 1) for place, name in enumerate(NUMBERS)}
    texts = {name: random.choice([f"v{each}" for each in range(20)], 20_000) for name in TEXTS}
    rows = pd.DataFrame({**numbers, **texts})
    labels = (rows["n0"] + 3 * (rows["s0"] == "v1") + random.normal(size=20_000) > 0).astype(int)
    paths = {}
    for name, estimator in {"boosting": HistGradientBoostingClassifier(), "linear": LogisticRegression()}.items():
        encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
        columns = make_column_transformer((StandardScaler(), NUMBERS), (encoder, TEXTS))
        model = make_pipeline(columns, estimator).fit(rows, labels)
        paths[name] = folder / name
        mlflow.sklearn.save_model(
            model,
            str(paths[name]),
            serialization_format="skops",
            skops_trusted_types=trusted_types_of(model),
            pip_requirements=["scikit-learn"],
            signature=infer_signature(rows.head(), model.predict(rows.head())),
        )
    return paths


@contextmanager
def served_by(command: list[str], port: int, path: str, **environment: str) -> Iterator[psutil.Process]:
    """A server of its own, waited for."""
    process = subprocess.Popen(
        [sys.executable, *command],
        # mlflow looks for uvicorn on the path
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 120
        while not answers(port, path):
            assert process.poll() is None, f"{command} ended"
            assert time.monotonic() < deadline, f"{command} did not come up"
            time.sleep(0.2)
        yield psutil.Process(process.pid)
    finally:
        if process.poll() is None:
            for each in [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]:
                each.kill()
        process.wait()


def answers(port: int, path: str) -> bool:
    """Whether something answers there."""
    try:
        return httpx.get(f"http://127.0.0.1:{port}{path}", timeout=2, trust_env=False).status_code < 500
    except httpx.TransportError:
        return False


def free_port() -> int:
    """A port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


class Load(NamedTuple):
    """Requests per second, median milliseconds, requests."""

    rate: float
    median: float
    requests: int


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


def deploy(gateway: GatewayEndpoints, url: str, models: Mapping[str, Path], folder: Path) -> dict[str, str]:
    """Each model twice, without and with an inference table: label to address."""
    urls = {}
    for name, path in models.items():
        for suffix, table in (("", None), ("-logged", str(folder / f"{name}-log"))):
            made = {"name": name + suffix, "model_name": name, "version": "1", "model_path": str(path)}
            spec = EndpointSpec.model_validate({**made, "inference_table": table})
            gateway.apply(spec)
            gateway.wait_ready(spec.name)
            urls[f"gateway {spec.name}"] = f"{url}/serving-endpoints/{spec.name}/invocations"
    return urls


def main() -> None:
    """Measure, then print a table and the ratios."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        models = save_models(folder)
        home = folder / "home"
        address = gateway_process.ensure_running(home, port=0)
        stack.callback(gateway_process.stop, home)
        token = address.token_file.read_text().strip()
        script = folder / "post.lua"
        lines = ['wrk.method = "POST"', f"wrk.body = [[{json.dumps({'dataframe_records': [ROW]})}]]"]
        lines += [f'wrk.headers["{name}"] = "{value}"' for name, value in _headers(token).items()]
        script.write_text("\n".join(lines))
        sizes: dict[str, psutil.Process] = {}
        with GatewayEndpoints.of(address.url, home) as gateway:
            urls = deploy(gateway, address.url, models, folder)
            differing(gateway, models)
            for name in ("linear-logged", "linear", "boosting"):
                gateway.delete(name)
            gateway.ask("boosting-logged", pd.DataFrame([ROW]), "boosting-1")
            time.sleep(SETTLE_SECONDS)
            largest, together = memory(psutil.Process(address.pid))
            print(f"gateway with one logged endpoint: largest process {largest:.0f} MB, all {together:.0f} MB (PSS)")
            deploy(gateway, address.url, models, folder)
        for name, command, ready, environment in _peers(folder, models):
            port = free_port()
            process = stack.enter_context(
                served_by([part.replace("PORT", str(port)) for part in command], port, ready, **environment)
            )
            sizes[name], urls[name] = process, f"http://127.0.0.1:{port}/invocations"
        servers = {**{name: psutil.Process(address.pid) for name in urls}, **sizes}
        rates, cpu = measured(urls, script), cpu_per_request(urls, script, servers)
        for name, process in sizes.items():
            largest, together = memory(process)
            print(f"{name:26} {largest:5.0f} MB largest, {together:5.0f} MB all (PSS)")
    report(rates, cpu)


def measured(urls: Mapping[str, str], script: Path) -> dict[tuple[str, int], Load]:
    """The best of ROUNDS of each server at 1 and 16 connections, the rounds interleaved."""
    best: dict[tuple[str, int], Load] = {}
    for _ in range(ROUNDS):
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
    for name in ("boosting", "linear"):
        for connections in (1, 16):
            logged, plain = (f"gateway {name}{suffix}" for suffix in ("-logged", ""))
            lost = 100 * (1 - rates[logged, connections].rate / rates[plain, connections].rate)
            more = 1000 * (cpu[logged, connections] - cpu[plain, connections])
            print(f"{name}: the log costs {lost:.0f} % at {connections} connections, {more:.0f} us of CPU a request")


def _headers(token: str) -> dict[str, str]:
    return {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}


def _peers(folder: Path, models: Mapping[str, Path]) -> Iterator[tuple[str, list[str], str, dict[str, str]]]:
    (folder / "echo_app.py").write_text(ECHO)
    (folder / "fastapi_app.py").write_text(FASTAPI)
    uvicorn = ["-m", "uvicorn", "--port", "PORT", "--log-level", "error", "--app-dir", str(folder)]
    serve = ["-m", "mlflow", "models", "serve", "-m", str(models["boosting"]), "-p", "PORT", "--env-manager", "local"]
    yield "mlflow models serve", serve, "/ping", {}
    model = {"MODEL": str(models["boosting"] / "model.skops")}
    yield "FastAPI and pipeline", [*uvicorn, "fastapi_app:app"], "/ping", model
    yield "raw ASGI echo", [*uvicorn, "echo_app:app"], "/", {}


if __name__ == "__main__":
    main()
