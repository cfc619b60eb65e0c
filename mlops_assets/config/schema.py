"""JSON Schemas of the documents, for editors: descriptions, defaults, examples and enumerations."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from mlops_assets.config.base import format_duration
from mlops_assets.config.examples import examples
from mlops_assets.config.parsing.kinds import ALL_MODELS
from mlops_assets.config.parsing.validation import SYNONYMS
from mlops_assets.config.parsing.versions import STEPS, current


class _Generator(GenerateJsonSchema):
    def encode_default(self, dft: Any) -> Any:
        return format_duration(dft) if isinstance(dft, timedelta) else super().encode_default(dft)


def json_schema(kind: str) -> dict[str, Any]:
    """The JSON Schema of one kind of document: data, features, training and so on, or platform."""
    model = ALL_MODELS[kind]
    schema = model.model_json_schema(schema_generator=_Generator)
    for definition in (schema, *schema.get("$defs", {}).values()):
        _adapt(definition)
    for name, written in examples()[kind].items():
        if written:
            schema["properties"][name]["examples"] = written
    schema["properties"]["version"] = _version()
    return {"$schema": GenerateJsonSchema.schema_dialect, **schema, "title": f"{kind} document"}


def _version() -> dict[str, Any]:
    versions = list(range(1, current(STEPS) + 1))
    return {"default": versions[-1], "description": "Version of the documents' language.", "enum": versions}


def _adapt(definition: dict[str, Any]) -> None:
    """Adds what the models accept beyond their schema: synonyms, bare rules, one for a list."""
    properties = definition.get("properties", {})
    for name, schema in list(properties.items()):
        schema.pop("title", None)
        if name in SYNONYMS:
            properties[SYNONYMS[name]] = schema
        if name in _WIDER:
            properties[name] = _wider(schema, name)


_WIDER = ("validation_rules", "feature_transformations", "promotion_criteria", "model_version")


def _wider(schema: dict[str, Any], name: str) -> dict[str, Any]:
    """The schema of a field that also takes a shorter form."""
    schema = dict(schema)
    if name == "validation_rules":
        schema["items"] = {"anyOf": [{"type": "string"}, schema["items"]]}
    if name == "feature_transformations":
        many = schema["additionalProperties"]
        schema["additionalProperties"] = {"anyOf": [many["items"], many]}
    if name == "promotion_criteria":
        about = {key: schema.pop(key) for key in ("description", "default")}
        schema = {"anyOf": [{"type": "string"}, schema], **about}
    if name == "model_version":
        schema["type"] = ["string", "integer"]
    return schema


def write_schemas(folder: Path) -> list[Path]:
    """Writes `<kind>.json` for every kind of document; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for kind in ALL_MODELS:
        path = folder / f"{kind}.json"
        path.write_text(json.dumps(json_schema(kind), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        written.append(path)
    return written
