import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from mlops_assets.config.kinds import ALL_MODELS
from mlops_assets.config.schema import json_schema, undescribed_fields, write_schemas
from mlops_assets.config.validation import _models

COMMITTED = Path(__file__).parents[2] / "configs" / "schema"


def models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    yield model
    for field in model.model_fields.values():
        for inner in _models(field.annotation):
            yield from models(inner)


@pytest.mark.parametrize("kind", ALL_MODELS)
def test_every_field_of_every_model_has_a_description(kind: str) -> None:
    missing = {model.__name__: undescribed_fields(model) for model in models(ALL_MODELS[kind])}
    assert not any(missing.values()), missing


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
