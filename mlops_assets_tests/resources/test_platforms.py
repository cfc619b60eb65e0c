from pathlib import Path

import dagster as dg
import pytest

from mlops_assets.config import DeploymentConfig
from mlops_assets.registry import ModelRegistry
from mlops_assets.resources.platforms import resources_for
from mlops_assets.resources.serving import EmbeddedServing
from mlops_assets.serving.errors import ServingError


def test_a_platform_that_this_version_does_not_bring_is_refused_with_those_it_does() -> None:
    with pytest.raises(dg.DagsterInvalidDefinitionError, match=r"MLOPS_PLATFORM is 'sparc'.*embedded"):
        resources_for("sparc")


def test_a_laptop_refuses_a_gpu_and_says_where_there_is_one(tmp_path: Path) -> None:
    wanted = {"model_name": "m", "model_version": "1", "environment": "dev", "deployment_type": "serving_endpoint"}
    serving = EmbeddedServing(tmp_path, "127.0.0.1", 8787)
    serving.require(DeploymentConfig.model_validate(wanted))
    with pytest.raises(ServingError, match=r"compute_type: .* gpu needs a Databricks platform"):
        serving.require(DeploymentConfig.model_validate({**wanted, "compute_type": "gpu"}))


def test_the_address_of_mlflows_store_is_known_to_a_run_and_not_kept_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"sqlite:///{tmp_path / 'password-47.db'}"
    monkeypatch.setenv("MLOPS_MLFLOW_URI", address)
    seen: list[str] = []

    @dg.op
    def look(registry: dg.ResourceParam[ModelRegistry]) -> None:
        seen.append(registry.server.tracking_uri)

    @dg.job(resource_defs={"registry": resources_for("embedded")["registry"]})
    def job() -> None:
        look()

    assert job.execute_in_process().success
    assert seen == [address]
    kept_with_each_run = dg.serialize_value(job.get_job_snapshot())
    assert "MLOPS_MLFLOW_URI" in kept_with_each_run
    assert "password-47" not in kept_with_each_run
