import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import psutil
import pytest

from mlops_assets.serving import gateway_process
from mlops_assets.serving.endpoints import EndpointSpec, GatewayEndpoints
from mlops_assets.serving.gateway_process import GatewayAddress


@pytest.fixture(scope="session")
def churn() -> pd.DataFrame:
    """60 customers: tenure in months, charges, contract (one is null) and when they signed."""
    return pd.DataFrame(
        {
            "tenure": range(60),
            "charges": [20.0 + 1.5 * (row % 17) for row in range(60)],
            "contract": [None, *("monthly" if row % 3 else "yearly" for row in range(1, 60))],
            "signed": pd.date_range("2024-01-01", periods=60),
        }
    )


Saver = Callable[[Any, Any, pd.DataFrame, list[str]], Path]


@pytest.fixture(scope="session")
def save_model(tmp_path_factory: pytest.TempPathFactory) -> Saver:
    """Fits an encoder of the contract and a classifier, and saves them as the MLflow model that training logs."""

    def save(encoder: Any, classifier: Any, rows: pd.DataFrame, labels: list[str]) -> Path:
        import mlflow
        from mlflow.models import ModelSignature
        from mlflow.types import ColSpec, Schema
        from sklearn.compose import make_column_transformer
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from skops.io import dumps, get_untrusted_types

        numbers = (StandardScaler(), ["tenure", "charges"])
        model = make_pipeline(make_column_transformer(numbers, (encoder, ["contract"])), classifier)
        model.fit(rows, labels)
        inputs = Schema(
            [
                ColSpec("long", "tenure"),
                ColSpec("double", "charges"),
                ColSpec("string", "contract", required=False),
                ColSpec("datetime", "signed", required=False),
            ]
        )
        path = tmp_path_factory.mktemp("mlflow") / "model"
        mlflow.sklearn.save_model(
            model,
            str(path),
            serialization_format="skops",
            skops_trusted_types=get_untrusted_types(data=dumps(model)),
            pip_requirements=["scikit-learn"],
            signature=ModelSignature(inputs, Schema([ColSpec("string")])),
        )
        return path

    return save


@pytest.fixture(scope="session")
def model_path(save_model: Saver, churn: pd.DataFrame) -> Path:
    """Boosted trees that say who leaves."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.preprocessing import OneHotEncoder

    labels = ["stays" if tenure > 30 else "leaves" for tenure in churn["tenure"]]
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return save_model(encoder, HistGradientBoostingClassifier(max_iter=5, min_samples_leaf=5), churn, labels)


@pytest.fixture(scope="session")
def linear_path(save_model: Saver, churn: pd.DataFrame) -> Path:
    """A linear model of who leaves: the gateway answers by its plan, without its worker."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import OneHotEncoder

    labels = ["stays" if tenure > 30 else "leaves" for tenure in churn["tenure"]]
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return save_model(encoder, LogisticRegression(), churn, labels)


@pytest.fixture(scope="session")
def deploy(model_path: Path) -> Callable[..., EndpointSpec]:
    """A specification of the churn endpoint with one's own changes."""

    def spec(version: int = 1, **changes: object) -> EndpointSpec:
        standard = {
            "name": "churn",
            "model_name": "churn_model",
            "version": str(version),
            "model_path": str(model_path),
        }
        return EndpointSpec.model_validate({**standard, **changes})

    return spec


@contextmanager
def running(home: Path) -> Iterator[GatewayAddress]:
    """A gateway of `home` on a free port, stopped afterwards whatever happens."""
    try:
        yield gateway_process.ensure_running(home, port=0)
    finally:
        gateway_process.stop(home)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, deploy: Callable[..., EndpointSpec]) -> Iterator[GatewayAddress]:
    """A gateway that serves version 1 as `churn`; tests that change it bring their own."""
    with running(tmp_path_factory.mktemp("home")) as address:
        with GatewayEndpoints(address.url, token_of(address)) as endpoints:
            endpoints.apply(deploy())
            endpoints.wait_ready("churn", 60)
        yield address


@pytest.fixture(scope="session")
def http(shared: GatewayAddress) -> Iterator[httpx.Client]:
    """Plain HTTP to the shared gateway with its token."""
    headers = {"Authorization": f"Bearer {token_of(shared)}"}
    with httpx.Client(base_url=shared.url, headers=headers, timeout=30, trust_env=False) as client:
        yield client


def token_of(address: GatewayAddress) -> str:
    return address.token_file.read_text().strip()


def invoke(client: httpx.Client, body: object, endpoint: str = "churn") -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post(f"/serving-endpoints/{endpoint}/invocations", content=content)


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not so within {seconds} s"
        time.sleep(0.05)


def workers_of(gateway: int) -> list[int]:
    """The processes that answer for a gateway: those that its fork server has forked."""
    return [worker.pid for fork_server in psutil.Process(gateway).children() for worker in fork_server.children()]


def kill(pid: int) -> None:
    os.kill(pid, 9)
