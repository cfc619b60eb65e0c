"""A model's estimator as an ONNX graph: how far it is from scikit-learn is measured, bounded and shown."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import OneHotEncoder

from mlops_assets.serving.endpoints import EndpointSpec, GatewayEndpoints
from mlops_assets.serving.errors import DeploymentFailed
from mlops_assets.serving.gateway_process import GatewayAddress
from mlops_assets.serving.model import load_served_model
from mlops_assets.serving.onnx import ROWS, cached_conversion, converted, with_onnx
from mlops_assets_tests.serving.conftest import Saver, token_of

pytest.importorskip("onnxruntime")
Deploy = Callable[..., EndpointSpec]


def saved(save_model: Saver, churn: pd.DataFrame, estimator: Any, labels: list[str]) -> Path:
    return save_model(OneHotEncoder(handle_unknown="ignore", sparse_output=False), estimator, churn, labels)


def two(churn: pd.DataFrame) -> list[str]:
    return ["stays" if tenure > 30 else "leaves" for tenure in churn["tenure"]]


def test_a_linear_model_is_a_graph_of_float64_and_hardly_deviates(
    save_model: Saver, churn: pd.DataFrame, tmp_path: Path
) -> None:
    path = saved(save_model, churn, LogisticRegression(), two(churn))
    model = load_served_model(path)

    graph = converted(model, path, churn, tmp_path, 1e-12)

    assert (graph.precision, graph.rows, graph.labels_differing) == ("float64", ROWS, 0)
    assert cached_conversion(path, tmp_path) == graph
    theirs, ours = (each.predict(churn) for each in (model, with_onnx(model, graph.file)))
    assert [each["prediction"] for each in ours] == [each["prediction"] for each in theirs]
    gaps = [abs(one["probability"] - other["probability"]) for one, other in zip(ours, theirs, strict=True)]
    assert max(gaps) <= 1e-12


@pytest.mark.parametrize("classes", [2, 3])
def test_trees_deviate_and_are_refused_beyond_the_tolerance(
    save_model: Saver, churn: pd.DataFrame, tmp_path: Path, classes: int
) -> None:
    labels = [f"c{place % classes}" for place in range(len(churn))]
    path = saved(save_model, churn, RandomForestClassifier(7, random_state=0), labels)
    model = load_served_model(path)

    with pytest.raises(DeploymentFailed, match=r"onnx_tolerance: as ONNX in float\d\d .* deviates .* 0 is allowed"):
        converted(model, path, churn, tmp_path, 0)
    assert cached_conversion(path, tmp_path) is None
    graph = converted(model, path, churn, tmp_path, 1)

    assert 0 < graph.deviation <= 1
    assert graph == cached_conversion(path, tmp_path)


def test_an_estimator_without_a_converter_is_refused_by_name(
    save_model: Saver, churn: pd.DataFrame, tmp_path: Path
) -> None:
    from sklearn.neighbors import NearestCentroid

    path = saved(save_model, churn, NearestCentroid(), two(churn))

    with pytest.raises(DeploymentFailed, match="serving_engine: a NearestCentroid is not converted to ONNX"):
        converted(load_served_model(path), path, churn, tmp_path, 1)
    assert not list(tmp_path.iterdir())


def test_the_gateway_serves_the_graph(
    shared: GatewayAddress, deploy: Deploy, save_model: Saver, churn: pd.DataFrame, tmp_path: Path
) -> None:
    path = saved(save_model, churn, HistGradientBoostingClassifier(max_iter=5, min_samples_leaf=5), two(churn))
    graph = converted(load_served_model(path), path, churn, tmp_path, 1)
    rows = churn.tail(5)
    with GatewayEndpoints(shared.url, token_of(shared)) as endpoints:
        endpoints.apply(deploy(name="graph", model_name="graph", model_path=str(path), onnx_path=graph.file))
        endpoints.wait_ready("graph", 60)
        given = endpoints.ask("graph", rows, "graph-1")
        told = endpoints.logs("graph", "graph-1")
        endpoints.delete("graph")

    offline = pd.DataFrame(with_onnx(load_served_model(path), graph.file).predict(rows), index=rows.index)
    assert given["prediction"].tolist() == offline["prediction"].tolist()
    assert np.allclose(given["probability"], offline["probability"], atol=1e-7)
    assert "ONNX Runtime" in told
