"""The servers that `serving.py` asks: the two pipelines as models, the gateway with them, and the peers."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
import psutil

from mlops_assets.serving.endpoints import GatewayEndpoints
from mlops_assets.serving.spec import EndpointSpec

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
    from skops.io import dumps, get_untrusted_types

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
            skops_trusted_types=get_untrusted_types(data=dumps(model)),
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


def peers(folder: Path, models: Mapping[str, Path]) -> Iterator[tuple[str, list[str], str, dict[str, str]]]:
    """Name, command with PORT, path that answers when it is up, and environment of each."""
    (folder / "echo_app.py").write_text(ECHO)
    (folder / "fastapi_app.py").write_text(FASTAPI)
    uvicorn = ["-m", "uvicorn", "--port", "PORT", "--log-level", "error", "--app-dir", str(folder)]
    serve = ["-m", "mlflow", "models", "serve", "-m", str(models["boosting"]), "-p", "PORT", "--env-manager", "local"]
    yield "mlflow models serve", serve, "/ping", {}
    model = {"MODEL": str(models["boosting"] / "model.skops")}
    yield "FastAPI and pipeline", [*uvicorn, "fastapi_app:app"], "/ping", model
    yield "raw ASGI echo", [*uvicorn, "echo_app:app"], "/", {}
