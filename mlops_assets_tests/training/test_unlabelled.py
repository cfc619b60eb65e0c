"""Clustering and anomaly detection from a document to a registered champion, an endpoint and a scored table."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mlops_assets.features.frames import model_frame
from mlops_assets.registry import ModelRegistry
from mlops_assets.serving import AuthType, EndpointCredentials, TabularModelClient
from mlops_assets.serving.batch import score
from mlops_assets.serving.endpoints import EndpointSpec, GatewayEndpoints
from mlops_assets.serving.model import load_served_model
from mlops_assets.training.candidate import train
from mlops_assets.training.lineage import lineage_of
from mlops_assets.trusted_types import load_model_file
from mlops_assets_tests.serving.conftest import running, token_of
from mlops_assets_tests.training.documents import features, training, two_clouds

MODELS = {
    "clustering": {
        "kmeans": {"n_clusters": 2},
        "mini_batch_kmeans": {"n_clusters": 2},
        "gaussian_mixture": {"n_components": 2},
    },
    "anomaly_detection": {
        "isolation_forest": {"n_estimators": 20},
        "one_class_svm": {},
        "elliptic_envelope": {},
    },
}
NAMED = [(kind, name) for kind, names in MODELS.items() for name in names]


def promoted(folder: Path, model_type: str, algorithm: str) -> Path:
    """The folder of a model that was trained, has passed its gate, and is champion."""
    registry = ModelRegistry.below(folder)
    config = training(
        # The robust covariance wants a matrix of full rank, which one-hot columns are not.
        ["x0", "x1"] if algorithm == "elliptic_envelope" else ["x0", "x1", "city"],
        model_type=model_type,
        algorithm=algorithm,
        hyperparameters=MODELS[model_type][algorithm],
        registry_model_name=algorithm,
    )
    done = train(config, features(), source(), registry, lineage_of(config, features(), {"t": 0}), cause={})
    assert done.version.passed
    registry.promote(done.version)
    return registry.local_path(registry.require_champion(algorithm))


def source() -> pl.DataFrame:
    rows = two_clouds(400, gap=6.0)
    return rows.with_columns(city=pl.Series(["Oslo", "Bergen", None, "Oslo"] * 100))


def by_the_estimator(model: Path, rows: pl.DataFrame) -> list[float]:
    pipeline = load_model_file(model / "model.skops")
    labels = pipeline.predict(model_frame(rows, list(pipeline[0].feature_names_in_)))
    return [float(each) for each in labels]


@pytest.mark.parametrize(("model_type", "algorithm"), NAMED)
def test_a_champion_without_labels_scores_a_table_as_its_estimator_does(
    tmp_path: Path, model_type: str, algorithm: str
) -> None:
    model = promoted(tmp_path, model_type, algorithm)
    scored = score(load_served_model(model), source(), version="1", keep=["id"])
    expected = by_the_estimator(model, source())
    assert len(set(expected)) == 2
    assert scored["prediction"].to_list() == expected
    assert scored["probability"].null_count() == scored.height


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model_type", "algorithm"), [("clustering", "kmeans"), ("anomaly_detection", "isolation_forest")]
)
def test_an_endpoint_of_a_champion_without_labels_answers_as_its_estimator_does(
    tmp_path: Path, model_type: str, algorithm: str
) -> None:
    model = promoted(tmp_path, model_type, algorithm)
    asked = source().select("x0", "x1", "city").to_pandas()
    with running(tmp_path / "gateway") as address:
        with GatewayEndpoints(address.url, token_of(address)) as endpoints:
            endpoints.apply(EndpointSpec(name=algorithm, model_name=algorithm, version="1", model_path=str(model)))
            endpoints.wait_ready(algorithm, 60)
        credentials = EndpointCredentials(auth_type=AuthType.TOKEN, token=token_of(address))
        client = TabularModelClient(workspace_url=address.url, credentials=credentials)
        answered = client.predict(endpoint_name=algorithm, features=asked)
    np.testing.assert_array_equal(answered["prediction"].to_numpy(), by_the_estimator(model, source()))
