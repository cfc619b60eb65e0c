import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from mlops_assets.config.algorithm_names import ALGORITHM_NAMES
from mlops_assets.config.parsing.kinds import ALL_MODELS, MODELS
from mlops_assets.config.parsing.validation import _models
from mlops_assets.config.schema import json_schema, write_schemas
from mlops_assets.training.estimators import ALGORITHMS

COMMITTED = Path(__file__).parents[2] / "configs" / "schema"


def models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    yield model
    for field in model.model_fields.values():
        for inner in _models(field.annotation):
            yield from models(inner)


@pytest.mark.parametrize("kind", ALL_MODELS)
def test_every_field_of_every_model_has_a_description(kind: str) -> None:
    fields = [(model, name, field) for model in models(ALL_MODELS[kind]) for name, field in model.model_fields.items()]
    assert [(model.__name__, name) for model, name, field in fields if not field.description] == []


@pytest.mark.parametrize("kind", ALL_MODELS)
def test_the_published_schema_is_that_of_the_models(kind: str) -> None:
    assert json.loads((COMMITTED / f"{kind}.json").read_text()) == json_schema(kind)


def test_schemas_are_written_to_a_folder(tmp_path: Path) -> None:
    written = write_schemas(tmp_path / "schema")
    assert [path.stem for path in written] == list(ALL_MODELS)


def test_a_schema_says_defaults_enumerations_and_other_forms() -> None:
    data = json_schema("data")["properties"]
    assert data["format"]["enum"] == ["delta", "parquet", "csv", "json"]
    assert data["max_error_fraction"]["default"] == 0.05
    assert data["partition_columns"] == data["partitioning_columns"]
    assert {"type": "string"} in data["validation_rules"]["items"]["anyOf"]
    assert "(no effect" not in data["z_order_by"]["description"]
    alerting = json_schema("monitoring")["$defs"]["AlertConfig"]["properties"]
    assert alerting["aggregation_window"]["default"] == "1h"
    assert json_schema("pipeline")["additionalProperties"] is False


def test_a_schema_names_metrics_and_algorithms_and_lets_the_forms_pass_that_only_the_package_knows() -> None:
    training = Draft202012Validator(json_schema("training"))
    given = yaml.safe_load((COMMITTED.parent / "flights" / "training.yaml").read_text())

    def wrong(**fields: object) -> list[str]:
        return [error.json_path for error in training.iter_errors({**given, **fields})]

    assert not wrong(algorithm="lightgbm", metrics=["roc_auc", "neg_log_loss"], version=1)
    assert not wrong(algorithm="sklearn.ensemble.RandomForestClassifier")
    assert wrong(algorithm="random_forrest") == ["$.algorithm"]
    assert wrong(metrics=["roc_auk"]) == ["$.metrics[0]"]
    assert wrong(version=2) == ["$.version"]


def test_the_algorithms_that_a_schema_names_are_those_that_there_are() -> None:
    assert {*ALGORITHM_NAMES} == {name for names in ALGORITHMS.values() for name in names}


@pytest.mark.parametrize("kind", MODELS)
def test_the_fields_of_the_example_projects_are_examples(kind: str) -> None:
    properties = json_schema(kind)["properties"]
    shown = [name for name, field in properties.items() if field.get("examples")]
    assert len(shown) >= 4
