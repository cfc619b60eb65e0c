import io
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from mlops_assets.config import TrainingConfig
from mlops_assets.features.frames import model_frame, signature_types
from mlops_assets.registry import CHALLENGER, ModelRegistry, ModelVersion, RegistryError, Training
from mlops_assets.registry.champions import champion_at, first_champion
from mlops_assets.training.fit import Fitted, fit
from mlops_assets.training.importance import permutation_importance
from mlops_assets.training.lineage import lineage_of
from mlops_assets.training.plots import figures
from mlops_assets.trusted_types import load_model_file
from mlops_assets_tests.training.documents import features, training, two_clouds


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelRegistry]:
    home, before = tmp_path_factory.mktemp("mlflow"), os.getcwd()
    os.chdir(home)
    (home / "uv.lock").write_text("version = 1\n")
    (home / "pyproject.toml").write_text("[project]\nname = 'x'\nversion = '1'\n")
    yield ModelRegistry(f"sqlite:///{home / 'mlflow.db'}", home / "mlartifacts")
    os.chdir(before)


@pytest.fixture(scope="session")
def fitted() -> Fitted:
    cities = pl.Series(["Oslo", "Bergen", None] * 100)
    rows = two_clouds(300).with_columns(city=cities, flag=pl.col("x1") > 0)
    rows = rows.with_columns(flag=pl.when(pl.col("id") % 7 != 0).then("flag"))
    config = training(
        ["x0", "city", "flag"],
        algorithm="hist_gradient_boosting",
        hyperparameters={"max_iter": 10},
        stratify=True,
    )
    return fit(config, features(), rows)


@pytest.fixture(scope="session")
def logged(registry: ModelRegistry, fitted: Fitted) -> ModelVersion:
    return registry.log("clouds", "weather", "first", described(fitted, lineage="abc"))


def described(fitted: Fitted, **tags: str) -> Training:
    return Training(
        fitted.pipeline,
        inputs=signature_types(fitted.rows.schema, fitted.inputs),
        outputs=[("prediction", "boolean"), ("probability", "double")],
        params={"max_iter": 10},
        metrics=fitted.metrics,
        tags={f"mlops.{name}": value for name, value in tags.items()},
        figures=figures(fitted, permutation_importance(fitted)),
        tables={"/warehouse/gold/cloud_features": 7},
    )


def test_a_logged_model_answers_as_the_fitted_one_to_the_bit(
    registry: ModelRegistry, logged: ModelVersion, fitted: Fitted
) -> None:
    again = load_model_file(registry.local_path(logged) / "model.skops")
    table = model_frame(fitted.rows, fitted.inputs)
    np.testing.assert_array_equal(again.predict_proba(table), fitted.pipeline.predict_proba(table))


def test_the_run_holds_metrics_parameters_figures_and_the_tables_versions(
    registry: ModelRegistry, logged: ModelVersion, fitted: Fitted
) -> None:
    run = registry.client.get_run(logged.run_id)
    assert run.data.metrics["test_roc_auc"] == fitted.metrics["test_roc_auc"]
    assert run.data.params["max_iter"] == "10"
    (read,) = run.inputs.dataset_inputs
    assert read.dataset.name == "cloud_features"
    assert '"delta_table_version": 7' in read.dataset.source
    files = {each.path for each in registry.client.list_artifacts(logged.run_id)}
    assert {"roc.png", "calibration.png", "importance.png"} <= files


def test_null_fits_every_column_of_the_signature(registry: ModelRegistry, logged: ModelVersion, fitted: Fitted) -> None:
    from mlops_assets.serving.model import load_served_model

    served = load_served_model(registry.local_path(logged))
    assert served.inputs == {"city": "string", "x0": "double", "flag": "boolean"}
    rows = model_frame(
        fitted.rows.with_columns(x0=None, city=None, flag=None)
        .head(1)
        .cast({"x0": pl.Float64, "city": pl.String, "flag": pl.Boolean}),
        fitted.inputs,
    )
    (answer,) = served.predict(rows)
    assert 0 < answer["probability"] < 1


def test_requirements_are_those_of_the_model_and_nothing_lands_beside_the_registry(
    registry: ModelRegistry, logged: ModelVersion
) -> None:
    folder = registry.local_path(logged)
    names = {line.split("==")[0] for line in (folder / "requirements.txt").read_text().split()}
    assert {"scikit-learn", "skops"} <= names <= {"scikit-learn", "skops", "numpy", "pandas", "mlops-assets", "mlflow"}
    assert not (folder / "uv.lock").exists()
    assert not Path("mlruns").exists()


def test_versions_are_found_by_number_alias_latest_and_lineage(
    registry: ModelRegistry, logged: ModelVersion, fitted: Fitted
) -> None:
    second = registry.log("clouds", "weather", "", described(fitted, lineage="def"))
    assert registry.version("clouds", "latest").version == second.version
    assert registry.version("clouds", logged.version).run_id == logged.run_id
    assert registry.version("clouds", CHALLENGER).version == second.version
    found = registry.with_tag("clouds", "lineage", "abc")
    assert found is not None
    assert found.version == logged.version
    assert registry.with_tag("clouds", "lineage", "none") is None
    assert registry.champion("clouds") is None
    registry.promote(logged)
    champion = registry.champion("clouds")
    assert champion is not None
    assert champion.version == logged.version
    assert champion.promoted


def test_the_champion_of_a_moment_is_the_version_that_was_last_made_it_until_then(
    registry: ModelRegistry, logged: ModelVersion, fitted: Fitted
) -> None:
    second = registry.log("clouds", "weather", "", described(fitted, lineage="def"))
    moments = []
    for version in (logged, second, logged):
        registry.promote(registry.version("clouds", version.version))
        moments.append(datetime.now(UTC))

    known = registry.versions("clouds")
    found = [champion_at(known, moment) for moment in moments]

    assert [each and each.version for each in found] == [logged.version, second.version, logged.version]
    assert champion_at(known, datetime(2020, 1, 1, tzinfo=UTC)) is None
    assert first_champion(known) == known[0]


def test_a_version_that_is_not_there_is_refused_with_those_that_are(
    registry: ModelRegistry, logged: ModelVersion
) -> None:
    with pytest.raises(RegistryError, match="no version or alias '99'; there are 1"):
        registry.version("clouds", "99")
    with pytest.raises(RegistryError, match="run its pipeline first"):
        registry.version("nothing", "latest")


def test_a_candidate_is_trained_once_and_compared_on_rows_its_champion_has_not_seen(
    registry: ModelRegistry,
) -> None:
    from mlops_assets.training.candidate import train

    rows = two_clouds(3_000, gap=0.7)
    poor = training(["x0"], algorithm="logistic_regression", split_method="time", registry_model_name="loop")
    good = training(
        ["x0", "x1", "x2"],
        algorithm="logistic_regression",
        split_method="time",
        registry_model_name="loop",
        gate={"signature": "any"},
    )

    def run(config: TrainingConfig, part: pl.DataFrame, version: int) -> Any:
        lineage = lineage_of(config, features(), {"gold": version})
        return train(config, features(), part, registry, lineage, cause={"cause": "drift"})

    first = run(poor, rows.head(1_500), 1)
    assert first.version.passed
    registry.promote(first.version)
    assert not run(poor, rows.head(1_500), 1).trained
    second = run(good, rows, 2)
    assert second.version.passed
    assert second.version.cause == "drift"
    assert second.decision.rows == 450
    worse = run(poor, rows, 3)
    assert not worse.version.passed


def test_figures_are_png_files_of_pixels(fitted: Fitted) -> None:
    from PIL import Image

    drawn = figures(fitted, permutation_importance(fitted))
    assert set(drawn) == {"roc", "precision_recall", "calibration", "confusion", "importance"}
    for png in drawn.values():
        pixels = np.asarray(Image.open(io.BytesIO(png)).convert("L"))
        assert len(np.unique(pixels)) > 10
        assert len(png) < 60_000


def test_the_column_that_carries_the_label_is_the_most_important() -> None:
    rows = two_clouds(800).with_columns(x0=pl.col("label").cast(pl.Float64))
    found = fit(training(["x1", "x0"], algorithm="logistic_regression"), features(), rows)
    importance = permutation_importance(found)
    assert list(importance) == ["x0", "x1"]
    assert importance["x0"] > 0.2 > abs(importance["x1"])


@pytest.mark.parametrize("how", ["alias", "tag"])
def test_a_version_waits_for_a_persons_approval_and_says_how_to_give_it(
    registry: ModelRegistry, fitted: Fitted, how: str
) -> None:
    name = f"approved_by_{how}"
    version = registry.log(name, "experiment", "", described(fitted))
    with pytest.raises(RegistryError, match="for production") as waiting:
        registry.require_approval(version, "production")
    assert f"set_registered_model_alias('{name}', 'approved', '1')" in str(waiting.value)

    if how == "alias":
        registry.client.set_registered_model_alias(name, "approved", version.version)
    else:
        registry.tag(version, approved_by="someone")

    registry.require_approval(registry.version(name, "1"), "production")


def test_mlflow_itself_answers_prediction_and_probability(
    registry: ModelRegistry, logged: ModelVersion, fitted: Fitted
) -> None:
    import mlflow

    from mlops_assets.serving.model import load_served_model

    rows = model_frame(fitted.rows.head(20), fitted.inputs)
    loaded = mlflow.pyfunc.load_model(str(registry.local_path(logged)))

    answered = loaded.predict(rows)

    expected = load_served_model(registry.local_path(logged)).predict(rows)
    assert answered.to_dict("records") == expected
    assert set(answered) == {"prediction", "probability"}


def test_a_version_is_copied_to_another_environments_model_once_and_answers_the_same(
    registry: ModelRegistry, logged: ModelVersion, fitted: Fitted
) -> None:
    copy = registry.copied(logged, "prod_clouds")

    assert (copy.name, copy.version, copy.tag("lineage")) == ("prod_clouds", "1", logged.tag("lineage"))
    assert registry.copied(logged, "prod_clouds") == copy
    again = load_model_file(registry.local_path(copy) / "model.skops")
    table = model_frame(fitted.rows, fitted.inputs)
    np.testing.assert_array_equal(again.predict_proba(table), fitted.pipeline.predict_proba(table))
