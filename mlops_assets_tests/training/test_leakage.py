"""From source tables to a judged model: what a feature says of the future, and what an endpoint says of raw rows."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from mlops_assets.config import FeatureConfig, TrainingConfig
from mlops_assets.features.frames import model_frame
from mlops_assets.features.refresh import refresh
from mlops_assets.lake import delta
from mlops_assets.registry import ModelRegistry
from mlops_assets.serving import AuthType, EndpointCredentials, TabularModelClient
from mlops_assets.serving.endpoints import EndpointSpec, GatewayEndpoints
from mlops_assets.serving.scoring import Scoring
from mlops_assets.training.candidate import train
from mlops_assets.training.dataset import training_frame
from mlops_assets.training.fit import fit
from mlops_assets.training.lineage import lineage_of
from mlops_assets.trusted_types import load_model_file
from mlops_assets_tests.serving.conftest import running, token_of
from mlops_assets_tests.training.documents import START, features, training

ROWS = 3_000


def source(seed: int = 0) -> pl.DataFrame:
    """Rows of a few shops, minutes apart, with a label that hangs a little on `x`, nulls everywhere."""
    random = np.random.default_rng(seed)
    x = random.normal(size=ROWS)
    city = random.choice(["Oslo", "Bergen", "Ålesund"], ROWS)
    return pl.DataFrame(
        {
            "id": range(ROWS),
            "shop": random.choice(["a", "b", "c"], ROWS),
            "time": [START + timedelta(minutes=7 * number) for number in range(ROWS)],
            "x": pl.Series(x).replace(float(x[0]), None),
            "count": pl.Series(random.integers(0, 10**6, ROWS)),
            "city": pl.Series([None if number % 17 == 0 else name for number, name in enumerate(city)]),
            "flag": pl.Series([None if number % 13 == 0 else bool(number % 3) for number in range(ROWS)]),
            "signed": [START - timedelta(hours=int(each)) for each in random.integers(0, 9_999, ROWS)],
            "label": random.random(ROWS) < 1 / (1 + np.exp(-2 * x)),
        }
    )


def feature_table(folder: Path, config: FeatureConfig, rows: pl.DataFrame, **joined: pl.DataFrame) -> pl.LazyFrame:
    paths = {name: str(folder / name) for name in ("source", *joined)}
    for name, frame in {"source": rows, **joined}.items():
        delta.overwrite(paths[name], frame, transactions={})
    table = str(folder / "features")
    refresh(config, source=paths["source"], joined={name: paths[name] for name in joined}, table=table)
    return delta.scan(table)


def learned(config: TrainingConfig, wanted: FeatureConfig, table: pl.LazyFrame, rows: pl.DataFrame) -> float:
    frame = training_frame(table, rows.lazy(), config, wanted)
    return fit(config, wanted, frame).metrics["test_roc_auc"]


def test_a_feature_whose_future_reveals_the_label_gains_nothing_through_join_and_window(tmp_path: Path) -> None:
    rows = source()
    # The truth of each row is written down a second after it.
    told = rows.select("shop", pl.col("time") + timedelta(seconds=1), truth=pl.col("label").cast(pl.Float64))
    join = {"table": "told", "on": ["shop"], "as_of": "time", "columns": ["truth"]}
    known = {"column": "outcome", "functions": ["mean", "last"], "by": ["shop"], "windows": ["1h"]}
    wanted = features(features=["x", "truth"], joins=[join], aggregates=[known])
    rows = rows.with_columns(outcome=pl.col("label").cast(pl.Float64))
    table = feature_table(tmp_path, wanted, rows, told=told)
    given = {"algorithm": "hist_gradient_boosting", "hyperparameters": {"max_iter": 30}}
    leaky = ["truth", *wanted.aggregate_columns]
    assert learned(training(leaky, **given), wanted, table, rows) == pytest.approx(0.5, abs=0.06)
    plain = learned(training(["x"], **given), wanted, table, rows)
    assert learned(training(["x", *leaky], **given), wanted, table, rows) <= plain + 0.02
    # Joined without regard to time the same column gives the label away.
    naive = rows.with_columns(truth=pl.col("label").cast(pl.Float64))
    assert fit(training(["truth"], **given), features(), naive).metrics["test_roc_auc"] == 1.0


COLUMNS = ["x", "count", "city", "flag", "signed", "x_mean_1d_by_shop", "x_count_2h_by_shop"]
MODELS: dict[str, dict[str, Any]] = {
    "hist_gradient_boosting": {"max_iter": 40},
    "random_forest": {"n_estimators": 20, "max_depth": 8},
    "logistic_regression": {},
}


def answers(home: Path, name: str, model: Path, rows: pl.DataFrame) -> pl.DataFrame:
    """What an endpoint says of raw rows over HTTP."""
    with running(home) as address:
        with GatewayEndpoints(address.url, token_of(address)) as endpoints:
            endpoints.apply(EndpointSpec(name=name, model_name=name, version="1", model_path=str(model)))
            endpoints.wait_ready(name, 60)
        credentials = EndpointCredentials(auth_type=AuthType.TOKEN, token=token_of(address))
        client = TabularModelClient(workspace_url=address.url, credentials=credentials)
        return pl.from_pandas(client.predict(endpoint_name=name, features=rows.to_pandas()))


def arrive(folder: Path, config: FeatureConfig) -> None:
    """As many rows again, later than all that the model has learned from, through the feature table."""
    later = pl.col("time", "signed") + timedelta(minutes=7 * ROWS)
    delta.append(str(folder / "source"), source(1).with_columns(later, pl.col("id") + ROWS), transactions={})
    refresh(config, source=str(folder / "source"), joined={}, table=str(folder / "features"))


def scored(folder: Path, config: FeatureConfig, registry: ModelRegistry, model: str) -> pl.DataFrame:
    """The table of predictions, by id, after batch scoring has run twice."""
    table = str(folder / "predictions")
    scoring = Scoring(model, str(folder / "features"), table, config, registry)
    found, nothing = scoring.new_rows(), scoring.new_rows()
    assert (found.rows, found.learned_from, nothing.rows) == (ROWS, ROWS, 0)
    assert set(delta.scan(table).collect()["version"]) == {"1"}
    return delta.scan(table).sort("id").collect()


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", list(MODELS))
def test_an_endpoint_and_batch_scoring_say_of_raw_features_what_the_model_says_offline(
    tmp_path: Path, algorithm: str
) -> None:
    rows, name = source(), f"skew_{algorithm}"
    aggregates = [
        {"column": "x", "functions": ["mean"], "by": ["shop"], "windows": ["1d"]},
        {"column": "x", "functions": ["count"], "by": ["shop"], "windows": ["2h"]},
    ]
    scaled = {column: {"type": "scaling"} for column in ("count", "x_mean_1d_by_shop")}
    wanted = features(
        features=["x", "count", "city", "flag", "signed"],
        aggregates=aggregates,
        feature_transformations=scaled if algorithm == "logistic_regression" else {},
    )
    table = feature_table(tmp_path, wanted, rows)
    config = training(
        COLUMNS, algorithm=algorithm, hyperparameters=MODELS[algorithm], registry_model_name=name, refit=True
    )
    registry = ModelRegistry.below(tmp_path)
    frame = training_frame(table, rows.lazy(), config, wanted)
    version = train(config, wanted, frame, registry, lineage_of(config, wanted, {"t": 0}), cause={}).version
    registry.promote(version)
    path = registry.local_path(version)
    arrive(tmp_path, wanted)
    table = delta.scan(str(tmp_path / "features"))
    asked = table.filter(pl.col("id") >= ROWS).sort("id").tail(1_000).collect()
    batch = scored(tmp_path, wanted, registry, name).tail(1_000)
    inputs = list(load_model_file(path / "model.skops")[0].feature_names_in_)
    offline = load_model_file(path / "model.skops").predict_proba(model_frame(asked, inputs))[:, 1]
    online = answers(tmp_path / "gateway", name, path, asked)
    assert online.height == 1_000
    assert batch["id"].to_list() == asked["id"].to_list()
    np.testing.assert_array_equal(batch["prediction"].to_numpy(), online["prediction"].to_numpy())
    if algorithm == "logistic_regression":
        np.testing.assert_allclose(online["probability"].to_numpy(), offline, rtol=0, atol=1e-12)
        np.testing.assert_allclose(batch["probability"].to_numpy(), offline, rtol=0, atol=1e-12)
    else:
        np.testing.assert_array_equal(online["probability"].to_numpy(), offline)
        np.testing.assert_array_equal(batch["probability"].to_numpy(), offline)
    np.testing.assert_array_equal(online["prediction"].to_numpy(), offline > 0.5)
