from pathlib import Path

import dagster as dg
import pytest

from mlops_assets.config import DeploymentConfig
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
