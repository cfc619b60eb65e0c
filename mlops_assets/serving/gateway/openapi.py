"""The gateway and its endpoints as OpenAPI 3.1 descriptions: the routes, the bodies they take, a model's columns."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from mlops_assets.serving.protocol import CreateEndpoint, PatchTags, UpdateConfig
from mlops_assets.serving.signature import NULL_TYPES, Column

ROOT = "/api/2.0/serving-endpoints"
_TYPES: Mapping[str, Mapping[str, str]] = {
    "boolean": {"type": "boolean"},
    "integer": {"type": "integer", "format": "int32"},
    "long": {"type": "integer", "format": "int64"},
    "float": {"type": "number", "format": "float"},
    "double": {"type": "number", "format": "double"},
    "string": {"type": "string"},
    "binary": {"type": "string", "format": "byte"},
    "datetime": {"type": "string", "format": "date-time"},
}
_NAME = {"name": "name", "in": "path", "required": True, "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"}}
_SERVED = {**_NAME, "name": "served"}
_ANY_ROWS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "dataframe_split": {"type": "object"},
        "dataframe_records": {"type": "array", "items": {"type": "object"}},
        "instances": {"type": "array"},
        "inputs": {},
        "client_request_id": {"type": "string"},
    },
}


def endpoint_description(name: str, versions: Sequence[tuple[str, Sequence[Column]]]) -> dict[str, Any]:
    """One endpoint as Databricks describes it: per served version the rows it takes."""
    paths = {
        f"/serving-endpoints/{name}/served-models/{served}/invocations": {
            "post": {**_operation(f"Predict with {served}", _rows(columns)), "operationId": f"predict_{served}"}
        }
        for served, columns in versions
    }
    return {"openapi": "3.1.0", "info": {"title": name, "version": "1"}, "paths": paths}


def gateway_description() -> dict[str, Any]:
    """All routes of a gateway."""
    one, invocations = f"{ROOT}/{{name}}", "/serving-endpoints/{name}"
    named = {"parameters": [_NAME]}
    paths: dict[str, Any] = {
        ROOT: {"get": _operation("List the endpoints"), "post": _operation("Create one", _ref(CreateEndpoint))},
        one: {**named, "get": _operation("Describe an endpoint"), "delete": _operation("Delete it")},
        f"{one}/config": {**named, "put": _operation("Change what it serves", _ref(UpdateConfig))},
        f"{one}/tags": {**named, "patch": _operation("Change its tags", _ref(PatchTags))},
        f"{one}/openapi": {**named, "get": _operation("What rows it takes")},
        f"{one}/agreement": {**named, "get": _operation("What shadow traffic has shown")},
        f"{one}/served-models/{{served}}/logs": {
            "parameters": [_NAME, _SERVED],
            "get": _operation("What a served model's processes printed"),
        },
        f"{one}/served-models/{{served}}/build-logs": {
            "parameters": [_NAME, _SERVED],
            "get": _operation("The same: it is loaded by the process that serves it"),
        },
        f"{invocations}/invocations": {**named, "post": _operation("Predict", _ANY_ROWS)},
        f"{invocations}/served-models/{{served}}/invocations": {
            "parameters": [_NAME, _SERVED],
            "post": _operation("Predict with one of its versions", _ANY_ROWS),
        },
        "/health": {"get": _operation("The process answers")},
        "/ready": {"get": _operation("Every endpoint can answer")},
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "mlops_assets gateway", "version": "1"},
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": _schemas(CreateEndpoint, UpdateConfig, PatchTags),
        },
    }


def _operation(summary: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    answer = {"description": "JSON", "content": {"application/json": {"schema": {"type": "object"}}}}
    operation: dict[str, Any] = {"summary": summary, "responses": {"200": answer, "default": answer}}
    if body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    return operation


def _rows(columns: Sequence[Column]) -> dict[str, Any]:
    row = {
        "type": "object",
        "properties": {column.name: _nullable(column) for column in columns},
        "required": [column.name for column in columns if column.required],
    }
    return {"type": "object", "properties": {"dataframe_records": {"type": "array", "items": row}}}


def _nullable(column: Column) -> dict[str, Any]:
    schema: dict[str, Any] = dict(_TYPES[column.type])
    if not column.required or column.type in NULL_TYPES:
        schema["type"] = [schema["type"], "null"]
    return schema


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def _schemas(*models: type[BaseModel]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for model in models:
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        found |= schema.pop("$defs", {})
        found[model.__name__] = schema
    return found
