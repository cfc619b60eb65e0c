"""`python -m mlops_assets.serving`, against a gateway and against the stand-in workspace."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from click.testing import CliRunner

from mlops_assets.registry import ModelRegistry
from mlops_assets.serving.__main__ import main
from mlops_assets.serving.endpoints import EndpointSpec, GatewayEndpoints
from mlops_assets.serving.gateway_process import GatewayAddress
from mlops_assets_tests.serving.conftest import running, token_of, wait_until
from mlops_assets_tests.workspace_stub import TOKEN, workspace


def call(*arguments: str, text: str = "") -> str:
    result = CliRunner().invoke(main, arguments, input=text)
    assert result.exit_code == 0, result.output
    return result.output


def rows(churn: pd.DataFrame) -> str:
    return churn.head(3).to_json(orient="records", date_format="iso")


def test_a_gateway_is_asked_looked_at_and_its_log_read(shared: GatewayAddress, churn: pd.DataFrame) -> None:
    home = str(shared.token_file.parent)

    answers = [json.loads(line) for line in call("--home", home, "predict", "churn", text=rows(churn)).splitlines()]

    assert len(answers) == 3
    assert "probability" in answers[0]
    assert "churn: ready" in call("--home", home, "status")
    assert call("--home", home, "logs", "--lines", "2").count("\n") <= 2
    assert "(fast plan, bit-equal on 2048 rows)" in call("--home", home, "logs", "churn")


def test_a_mistake_is_one_line_and_a_code(shared: GatewayAddress, churn: pd.DataFrame) -> None:
    home = str(shared.token_file.parent)

    result = CliRunner().invoke(main, ["--home", home, "predict", "nobody"], input=rows(churn))

    assert result.exit_code == 1
    assert result.output.startswith("Error: There is no endpoint 'nobody'")


def test_a_workspace_answers_the_same_commands(
    tmp_path: Path, model_path: Path, churn: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABRICKS_TOKEN", TOKEN)
    with workspace(tmp_path) as there:
        there.models["main.ml.churn", "1"] = model_path
        entity = {"entity_name": "main.ml.churn", "entity_version": "1", "scale_to_zero_enabled": True}
        there.serving.create(
            SimpleNamespace(body={"name": "churn", "config": {"served_entities": [entity]}}, parts={})  # type: ignore[arg-type]
        )
        wait_until(lambda: bool(there.serving.endpoints["churn"].answering))

        assert "churn: ready, not_updating: main.ml.churn 1" in call("--workspace", there.url, "status")
        assert len(call("--workspace", there.url, "predict", "churn", text=rows(churn)).splitlines()) == 3
        assert "main.ml.churn/1 loaded" in call("--workspace", there.url, "logs", "churn")


@pytest.fixture
def registry(tmp_path: Path, model_path: Path) -> ModelRegistry:
    """Three versions of one model that have been champion one after another."""
    made = ModelRegistry.below(tmp_path)
    made.client.create_registered_model("churn_model")
    for number in ("1", "2", "3"):
        made.client.create_model_version("churn_model", source=model_path.as_uri())
        made.tag(made.version("churn_model", number), gate="passed")
        made.promote(made.version("churn_model", number))
    return made


def test_a_rollback_serves_the_version_before_and_withdraws_the_one_it_leaves(
    tmp_path: Path, registry: ModelRegistry, deploy: Callable[..., EndpointSpec]
) -> None:
    with running(tmp_path) as address, GatewayEndpoints(address.url, token_of(address)) as endpoints:
        endpoints.apply(deploy(3, environment_variables={"LOG_LEVEL": "INFO"}))
        endpoints.wait_ready("churn", 60)

        told = call("--home", str(tmp_path), "rollback", "churn")

        assert told == "churn serves version 2 again, instead of 3.\n"
        assert [each.version for each in endpoints.get("churn").served] == ["2"]
        assert registry.require_champion("churn_model").version == "2"
        assert registry.latest_passed("churn_model").version == "2"
