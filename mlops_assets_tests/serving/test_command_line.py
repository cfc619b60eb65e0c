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
from mlops_assets.serving.model import load_served_model
from mlops_assets.serving.onnx import converted
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


@pytest.mark.parametrize(
    ("arguments", "rows", "told"),
    [
        (["predict", "nobody"], b'{"tenure": 1}', "Error: There is no endpoint 'nobody'"),
        (["delete", "nobody"], b"", "Error: The endpoint 'nobody' does not exist."),
        (["predict", "churn"], b"[1]", "Error: ROWS: row 0 is a int; objects of column names"),
        (["predict", "churn"], b"{'tenure': 1}", "Error: ROWS is not JSON: Expecting property name"),
        (["predict", "churn"], b'{"a": "\xff"}', "Error: ROWS is not JSON: 'utf-8' codec"),
        (["--workspace", "http://x.example", "status"], b"", "--workspace: workspace_url: use https for x.example"),
        (["--workspace", "http://x.example", "predict", "churn"], b"{}", "--workspace: workspace_url: use https"),
        (["--workspace", "https://x.example", "status"], b"", "--workspace: default auth: cannot configure"),
    ],
)
def test_a_mistake_is_one_line_and_a_code(
    shared: GatewayAddress,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: list[str],
    rows: bytes,
    told: str,
) -> None:
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(tmp_path / "none"))

    result = CliRunner().invoke(main, ["--home", str(shared.token_file.parent), *arguments], input=rows)

    assert result.exit_code in (1, 2), result.exception
    assert told in result.output


def test_rows_are_a_list_or_one_object_over_lines_or_one_a_line(shared: GatewayAddress) -> None:
    home = str(shared.token_file.parent)
    row = {"tenure": 1, "charges": 20.0, "contract": "monthly"}
    for text, count in [
        (json.dumps([row]), 1),
        (json.dumps(row, indent=1), 1),
        (f"{json.dumps(row)}\n" * 2, 2),
    ]:
        assert len(call("--home", home, "predict", "churn", text=text).splitlines()) == count


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
    """Three versions of one model that have been champion one after another, copies of those of `trained`."""
    made = ModelRegistry.below(tmp_path)
    for name in ("trained", "churn_model"):
        made.client.create_registered_model(name)
        for number in ("1", "2", "3"):
            made.client.create_model_version(name, source=model_path.as_uri(), run_id=number * 32)
            made.tag(made.version(name, number), gate="passed")
            made.promote(made.version(name, number))
    return made


def test_a_rollback_serves_the_version_before_and_withdraws_the_one_it_leaves(
    tmp_path: Path, registry: ModelRegistry, deploy: Callable[..., EndpointSpec], model_path: Path, churn: pd.DataFrame
) -> None:
    pytest.importorskip("onnxruntime")
    home, graph = str(tmp_path), converted(load_served_model(model_path), model_path, churn, tmp_path, 1).file
    with running(tmp_path) as address, GatewayEndpoints(address.url, token_of(address)) as endpoints:
        endpoints.apply(deploy(3, environment_variables={"LOG_LEVEL": "INFO"}, onnx_path=graph))
        endpoints.wait_ready("churn", 60)

        assert call("--home", home, "rollback", "churn") == "churn serves version 2 again, instead of 3.\n"

        assert [each.version for each in endpoints.get("churn").served] == ["2"]
        assert endpoints.graph("churn") == Path(graph)
        for name in ("churn_model", "trained"):
            assert registry.require_champion(name).version == "2"
            assert registry.latest_passed(name).version == "2"

        Path(graph).with_suffix(".json").unlink()  # as if it had never been converted
        told = call("--home", home, "rollback", "churn", "--to", "1")
        assert "It was never converted to ONNX: scikit-learn serves it" in told
        assert endpoints.graph("churn") is None
