"""The register `databricks-uc` and the tracking server `databricks`: MLflow's own client against the stand-in."""

from collections.abc import Iterator

import numpy as np
import pytest

from mlops_assets.features.frames import model_frame
from mlops_assets.registry import CHALLENGER, PASSED, ModelRegistry, ModelVersion, RegistryError
from mlops_assets.registry.unity import ON_THE_RUN, UnityModels
from mlops_assets.training.fit import Fitted
from mlops_assets.trusted_types import load_model_file
from mlops_assets_tests.registry.test_registry import described, fitted
from mlops_assets_tests.workspace_stub import TOKEN, Workspace, workspace

__all__ = ["fitted"]
LONG = "; ".join(["beats the champion"] * 80)


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    with workspace(tmp_path_factory.mktemp("workspace")) as made, pytest.MonkeyPatch.context() as environment:
        environment.setenv("DATABRICKS_HOST", made.url)
        environment.setenv("DATABRICKS_TOKEN", TOKEN)
        made.schemas |= {"staging.ml", "prod.ml"}
        yield made


@pytest.fixture(scope="module")
def registry(there: Workspace) -> ModelRegistry:
    return ModelRegistry(
        "databricks", None, "databricks-uc", UnityModels("main.ml", {"staging": "staging.ml", "production": "prod.ml"})
    )


@pytest.fixture(scope="module")
def logged(registry: ModelRegistry, fitted: Fitted) -> ModelVersion:
    return registry.log("clouds", "weather", "first", described(fitted, gate=PASSED, decision=LONG))


def test_a_model_is_registered_under_a_name_of_three_levels_with_its_files(
    registry: ModelRegistry, logged: ModelVersion, fitted: Fitted, there: Workspace
) -> None:
    assert (logged.name, logged.version) == ("main.ml.clouds", "1")
    assert (there.unity_models.folder("main.ml.clouds", "1") / "model.skops").is_file()
    again = load_model_file(registry.local_path(logged) / "model.skops")
    table = model_frame(fitted.rows, fitted.inputs)
    np.testing.assert_array_equal(again.predict_proba(table), fitted.pipeline.predict_proba(table))


def test_tags_within_unity_catalogs_limits_read_as_they_do_elsewhere(
    registry: ModelRegistry, logged: ModelVersion, there: Workspace
) -> None:
    (version,) = registry.versions("clouds")
    assert version.passed
    assert version.decision == LONG
    kept = {tag.key: tag.value for tag in there.unity_models.models["main.ml.clouds"].versions["1"].tags}
    assert kept["mlops_gate"] == PASSED
    assert kept["mlops_decision"] == ON_THE_RUN
    registry.tag(version, approved_by="somebody")
    assert registry.version("clouds", "1").tag("approved_by") == "somebody"


def test_the_run_is_in_the_workspaces_experiment_with_metrics_and_files(
    registry: ModelRegistry, logged: ModelVersion, fitted: Fitted, there: Workspace
) -> None:
    assert registry.metrics(logged)["test_roc_auc"] == fitted.metrics["test_roc_auc"]
    assert registry.client.get_experiment_by_name("/Shared/weather") is not None
    assert any(each.path.endswith(".png") for each in registry.client.list_artifacts(logged.run_id))
    assert registry.url(logged).startswith(f"{there.url}/ml/experiments/")


def test_a_version_goes_from_one_environment_to_the_next_by_a_copy_and_each_has_aliases_of_its_own(
    registry: ModelRegistry, logged: ModelVersion, there: Workspace
) -> None:
    runs = len([line for line in there.requests if line.endswith("runs/create")])
    staging = registry.copied(logged, registry.name_in("staging", logged.name))
    production = registry.copied(logged, registry.name_in("production", logged.name))
    registry.promote(production)

    assert (staging.name, production.name) == ("staging.ml.clouds", "prod.ml.clouds")
    assert production.run_id == logged.run_id
    assert production.passed
    assert registry.require_champion("prod.ml.clouds").version == "1"
    assert registry.champion("staging.ml.clouds") is None
    assert registry.version("clouds", CHALLENGER).version == "1"
    assert registry.copied(logged, "prod.ml.clouds").version == "1"
    files = [{path.name for path in there.unity_models.folder(v.name, "1").iterdir()} for v in (logged, production)]
    assert files[0] == files[1]
    assert len([line for line in there.requests if line.endswith("runs/create")]) == runs


def test_more_versions_than_a_page_are_all_found(registry: ModelRegistry, logged: ModelVersion) -> None:
    for _ in range(2):
        registry.client.create_model_version(logged.name, f"models:/{logged.name}/1", run_id=logged.run_id)
    assert [version.version for version in registry.versions("clouds")] == ["1", "2", "3"]


def test_what_is_not_there_is_told(registry: ModelRegistry) -> None:
    assert registry.versions("nothing") == []
    with pytest.raises(RegistryError, match="none: run its pipeline first"):
        registry.version("nothing", "1")


def test_what_the_stand_in_does_not_know_is_not_implemented(registry: ModelRegistry, there: Workspace) -> None:
    from mlflow.exceptions import MlflowException

    with pytest.raises(MlflowException, match="knows no PATCH"):
        registry.client.update_registered_model("main.ml.clouds", description="x")
