"""Every YAML block of the documentation is a document, or a part of one, that loads."""

from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._config import validate_config
from dagster._core.instance.config import dagster_instance_config_schema

from mlops_assets.component import MlopsProject
from mlops_assets.config.crosschecks.project import document_problems
from mlops_assets.config.document import Document
from mlops_assets.config.parsing.documents import parse_sources
from mlops_assets.config.parsing.kinds import ALL_MODELS
from mlops_assets.config.parsing.validation import validate
from mlops_assets.config.problems import Problem
from mlops_assets_tests.docs.blocks import Block, every

REST: dict[str, dict[str, Any]] = {
    "data": {"source_path": "a", "destination_path": "b"},
    "features": {
        "source_table": "a",
        "feature_table_name": "b",
        "primary_keys": ["id"],
        "features": [],
        "timestamp_column": "at",
    },
    "training": {
        "model_type": "classification",
        "target_column": "y",
        "feature_columns": ["x"],
        "experiment_name": "a",
        "registry_model_name": "a",
    },
    "deployment": {
        "model_name": "a",
        "model_version": "latest",
        "environment": "staging",
        "deployment_type": "serving_endpoint",
    },
    "monitoring": {"metrics": ["feature_drift"]},
    "pipeline": {"name": "a", "owner": "a", "environment": "dev"},
}


def kind_of(block: Block) -> str:
    name = block.title.split(",")[0].removesuffix(".yaml")
    return "platform" if name.startswith("platforms/") else name.split("/")[0].rsplit(".", 1)[-1]


@pytest.mark.parametrize("block", every("yaml"), ids=str)
def test_a_yaml_block_of_the_documentation_loads(block: Block) -> None:
    kind = kind_of(block)
    if kind == "defs":
        MlopsProject.model_validate(yaml.safe_load(block.text)["attributes"])
        return
    if kind == "dagster":
        schema = dg.Shape(dagster_instance_config_schema())
        assert validate_config(schema, yaml.safe_load(block.text)).success
        return
    assert kind in ALL_MODELS, f"{block}: its title names no kind of document"
    given = yaml.safe_load(block.text)
    rest = REST[kind] if block.title.endswith(", in part") else {}
    missing = {name: value for name, value in rest.items() if name not in given}
    text = block.text + (yaml.safe_dump(missing) if missing else "")
    problems: list[Problem] = []
    (source,) = parse_sources(text, str(block), {}, problems)
    config = validate(ALL_MODELS[kind], source, problems)
    assert not (*problems, *source.problems), "\n".join(map(str, problems))
    assert config is not None
    assert not document_problems(Document(config, str(block), kind, source))
