"""Model Serving: endpoints with Databricks' states, models that really answer, tags, permissions, AI Gateway."""

import itertools
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from databricks.sdk.service.serving import (
    AiGatewayConfig,
    EndpointCoreConfigInput,
    EndpointTag,
    ServingEndpointAccessControlRequest,
)

from mlops_assets_tests.workspace_stub.http import Call, Refused, Reply, Routes, parsed

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
Models = Callable[[str, str], Path]


@dataclass
class Endpoint:
    """One endpoint; `answering` are the loaded models of its config by served entity."""

    name: str
    id: str
    created: int
    tags: dict[str, str] = field(default_factory=dict)
    config: EndpointCoreConfigInput | None = None
    pending: EndpointCoreConfigInput | None = None
    update: str = "IN_PROGRESS"
    version: int = 0
    answering: dict[str, Any] = field(default_factory=dict)
    gateway: AiGatewayConfig | None = None
    permissions: list[dict[str, Any]] = field(default_factory=list)
    logs: dict[str, str] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    counts: Counter[tuple[str, bool]] = field(default_factory=Counter)


class Serving:
    """The endpoints. `models` gives the MLflow model directory of a name and version; building takes real time."""

    def __init__(self, models: Models) -> None:
        self.models, self.build_seconds = models, 0.0
        self.endpoints: dict[str, Endpoint] = {}
        self._ids, self._lock, self._turn = itertools.count(1), threading.RLock(), itertools.count()

    @property
    def routes(self) -> Routes:
        """Method and path to what answers."""
        one = "/api/2.0/serving-endpoints/{name}"
        return {
            "GET /api/2.0/serving-endpoints": lambda _: {"endpoints": [shown(e) for e in self.endpoints.values()]},
            "POST /api/2.0/serving-endpoints": self.create,
            f"GET {one}": lambda call: shown(self.find(call)),
            f"DELETE {one}": self.delete,
            f"PUT {one}/config": self.update,
            f"PATCH {one}/tags": self.patch_tags,
            f"PUT {one}/ai-gateway": self.set_gateway,
            f"GET {one}/openapi": self.openapi,
            f"GET {one}/served-models/{{entity}}/build-logs": lambda call: {"logs": self._log(call)},
            f"GET {one}/served-models/{{entity}}/logs": lambda call: {"logs": self._log(call)},
            "PUT /api/2.0/permissions/serving-endpoints/{id}": self.set_permissions,
            "PATCH /api/2.0/permissions/serving-endpoints/{id}": self.set_permissions,
            "GET /api/2.0/permissions/serving-endpoints/{id}": self.get_permissions,
            "POST /serving-endpoints/{name}/invocations": self.invoke,
            "POST /serving-endpoints/{name}/served-models/{served}/invocations": self.invoke,
            f"GET {one}/metrics": self.metrics,
        }

    def find(self, call: Call) -> Endpoint:
        """The endpoint a request names."""
        name = call.parts["name"]
        if name not in self.endpoints:
            raise Refused(404, "RESOURCE_DOES_NOT_EXIST", f"Endpoint with name '{name}' does not exist.")
        return self.endpoints[name]

    def create(self, call: Call) -> dict[str, Any]:
        """POST: a new endpoint, NOT_READY until its models are loaded."""
        name = str(call.body.get("name", ""))
        if not NAME.fullmatch(name):
            raise Refused(400, "INVALID_PARAMETER_VALUE", f"Endpoint name '{name}' is not valid.")
        config = _config(call.body.get("config") or {})
        with self._lock:
            if name in self.endpoints:
                raise Refused(409, "RESOURCE_ALREADY_EXISTS", f"Endpoint with name '{name}' already exists.")
            made = Endpoint(name, f"{next(self._ids):032x}", int(time.time() * 1000))
            made.tags = {tag.key: tag.value or "" for tag in map(EndpointTag.from_dict, call.body.get("tags") or [])}
            if call.body.get("ai_gateway"):
                made.gateway = parsed(AiGatewayConfig, call.body["ai_gateway"])
            self.endpoints[name] = made
            self._begin(made, config)
        return shown(made)

    def update(self, call: Call) -> dict[str, Any]:
        """PUT config: everything anew; the old config serves until the new one is loaded."""
        endpoint, config = self.find(call), _config(call.body)
        with self._lock:
            if endpoint.update == "IN_PROGRESS":
                told = f"Endpoint '{endpoint.name}' is being updated; wait until it is not."
                raise Refused(409, "RESOURCE_CONFLICT", told)
            self._begin(endpoint, config)
        return shown(endpoint)

    def delete(self, call: Call) -> None:
        """DELETE."""
        del self.endpoints[self.find(call).name]

    def patch_tags(self, call: Call) -> dict[str, Any]:
        """PATCH tags: the tags afterwards."""
        endpoint = self.find(call)
        for tag in call.body.get("add_tags") or ():
            endpoint.tags[tag["key"]] = tag.get("value", "")
        for key in call.body.get("delete_tags") or ():
            endpoint.tags.pop(key, None)
        return {"tags": _tags(endpoint)}

    def set_gateway(self, call: Call) -> dict[str, Any]:
        """PUT ai-gateway."""
        endpoint = self.find(call)
        endpoint.gateway = parsed(AiGatewayConfig, call.body)
        return dict(endpoint.gateway.as_dict())

    def set_permissions(self, call: Call) -> dict[str, Any]:
        """PUT and PATCH permissions; by the endpoint's id, never by its name."""
        endpoint = self._by_id(call)
        asked = call.body.get("access_control_list") or []
        requests = [parsed(ServingEndpointAccessControlRequest, each) for each in asked]
        endpoint.permissions = [request.as_dict() for request in requests]
        return self.get_permissions(call)

    def get_permissions(self, call: Call) -> dict[str, Any]:
        """GET permissions, each with its level."""
        endpoint = self._by_id(call)
        listed = [
            {name: value for name, value in each.items() if name != "permission_level"}
            | {"all_permissions": [{"permission_level": each["permission_level"], "inherited": False}]}
            for each in endpoint.permissions
        ]
        return {"object_id": f"/serving-endpoints/{endpoint.id}", "access_control_list": listed}

    def openapi(self, call: Call) -> Reply:
        """GET openapi: what each served model takes."""
        endpoint = self.find(call)
        paths = {
            f"/served-models/{name}/invocations": _operation(model.metadata.get_input_schema())
            for name, model in endpoint.answering.items()
        }
        return Reply(json.dumps({"openapi": "3.1.0", "paths": paths}).encode())

    def invoke(self, call: Call) -> Reply:
        """POST invocations: MLflow's own scoring code with the model that the traffic picks."""
        from mlflow.exceptions import MlflowException
        from mlflow.pyfunc.scoring_server import invocations

        endpoint = self.find(call)
        if endpoint.config is None or not endpoint.answering:
            raise Refused(503, "TEMPORARILY_UNAVAILABLE", f"Endpoint '{endpoint.name}' is not ready.")
        name = call.parts.get("served") or _picked(endpoint.config, next(self._turn))
        if name not in endpoint.answering:
            raise Refused(404, "RESOURCE_DOES_NOT_EXIST", f"Endpoint '{endpoint.name}' serves no '{name}'.")
        model = endpoint.answering[name]
        try:
            done = invocations(call.content, "application/json", model, model.metadata.get_input_schema())
        except MlflowException as error:
            raise Refused(error.get_http_status_code(), error.error_code, error.message) from None
        answer = done.response if isinstance(done.response, str) else json.dumps(done.response)
        endpoint.counts[name, done.status >= 500] += 1
        return Reply(answer.encode(), {"served-model-name": name}, done.status)

    def metrics(self, call: Call) -> Reply:
        """GET metrics: requests and server errors of each served model, as Prometheus text."""
        lines = ["# TYPE request_count_total counter", "# TYPE request_5xx_count_total counter"]
        for (name, failed), count in sorted(self.find(call).counts.items()):
            label = f'{{served_model_name="{name}"}}'
            lines += [f"request_count_total{label} {count}", *([f"request_5xx_count_total{label} {count}"] * failed)]
        return Reply(("\n".join(lines) + "\n").encode(), {"Content-Type": "text/plain"})

    def _begin(self, endpoint: Endpoint, config: EndpointCoreConfigInput) -> None:
        endpoint.pending, endpoint.update = config, "IN_PROGRESS"
        threading.Thread(target=self._build, args=(endpoint, config), daemon=True).start()

    def _build(self, endpoint: Endpoint, config: EndpointCoreConfigInput) -> None:
        time.sleep(self.build_seconds)
        loaded: dict[str, Any] = {}
        for entity in config.served_entities or ():
            name, reference = str(entity.name), f"{entity.entity_name}/{entity.entity_version}"
            try:
                loaded[name] = _load(self.models(str(entity.entity_name), str(entity.entity_version)))
                endpoint.logs[name] = f"{reference} loaded\n"
            except Exception as error:  # noqa: BLE001 - whatever a model does, its endpoint's update has failed
                endpoint.problems[name] = f"{type(error).__name__}: {error}"
                endpoint.logs[name] = f"building {reference}\n{type(error).__name__}: {error}\n"
        failed = len(loaded) < len(config.served_entities or ())
        with self._lock:
            if failed:
                endpoint.update = "UPDATE_FAILED"
                return
            endpoint.config, endpoint.answering, endpoint.pending = config, loaded, None
            endpoint.version, endpoint.update = endpoint.version + 1, "NOT_UPDATING"

    def _by_id(self, call: Call) -> Endpoint:
        for endpoint in self.endpoints.values():
            if endpoint.id == call.parts["id"]:
                return endpoint
        raise Refused(404, "RESOURCE_DOES_NOT_EXIST", f"There is no serving endpoint with id {call.parts['id']}.")

    def _log(self, call: Call) -> str:
        return self.find(call).logs.get(call.parts["entity"], "")


def shown(endpoint: Endpoint) -> dict[str, Any]:
    """The endpoint as GET answers it."""
    answer: dict[str, Any] = {
        "name": endpoint.name,
        "id": endpoint.id,
        "creation_timestamp": endpoint.created,
        "permission_level": "CAN_MANAGE",
        "tags": _tags(endpoint),
        "state": {
            "ready": "READY" if endpoint.answering else "NOT_READY",
            "config_update": endpoint.update,
        },
    }
    if endpoint.gateway is not None:
        answer["ai_gateway"] = endpoint.gateway.as_dict()
    if endpoint.config is not None:
        answer["config"] = _shown_config(endpoint, endpoint.config, "DEPLOYMENT_READY")
    if endpoint.pending is not None:
        state = "DEPLOYMENT_FAILED" if endpoint.update == "UPDATE_FAILED" else "DEPLOYMENT_CREATING"
        answer["pending_config"] = _shown_config(endpoint, endpoint.pending, state)
    return answer


def _shown_config(endpoint: Endpoint, config: EndpointCoreConfigInput, state: str) -> dict[str, Any]:
    entities = [
        {
            **entity.as_dict(),
            "state": {"deployment": state, "deployment_state_message": endpoint.problems.get(str(entity.name), "")},
        }
        for entity in config.served_entities or ()
    ]
    traffic = config.traffic_config.as_dict() if config.traffic_config else {}
    return {"served_entities": entities, "traffic_config": traffic, "config_version": endpoint.version}


def _tags(endpoint: Endpoint) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in endpoint.tags.items()]


def _config(body: Mapping[str, Any]) -> EndpointCoreConfigInput:
    """The config with its rules: concrete versions, one way to size, routes that add up to 100."""
    config: EndpointCoreConfigInput = parsed(EndpointCoreConfigInput, {k: v for k, v in body.items() if k != "name"})
    if not config.served_entities:
        raise Refused(400, "INVALID_PARAMETER_VALUE", "served_entities is required.")
    if config.auto_capture_config:
        raise Refused(400, "INVALID_PARAMETER_VALUE", "auto_capture_config is not supported any more: use AI Gateway.")
    for entity in config.served_entities:
        if not re.fullmatch(r"[0-9]+", entity.entity_version or ""):
            raise Refused(400, "INVALID_PARAMETER_VALUE", f"entity_version '{entity.entity_version}' is no version.")
        if entity.scale_to_zero_enabled is None:
            raise Refused(400, "INVALID_PARAMETER_VALUE", "scale_to_zero_enabled is required.")
        if entity.workload_size and entity.max_provisioned_concurrency is not None:
            raise Refused(400, "INVALID_PARAMETER_VALUE", "workload_size or provisioned concurrency, not both.")
        entity.name = entity.name or f"{str(entity.entity_name).rsplit('.', 1)[-1]}-{entity.entity_version}"
    names = [entity.name for entity in config.served_entities]
    if len(names) > 1 and config.traffic_config is None:
        raise Refused(400, "INVALID_PARAMETER_VALUE", "traffic_config is required with several served entities.")
    if config.traffic_config is not None:
        routes = config.traffic_config.routes or []
        if sum(route.traffic_percentage for route in routes) != 100:
            raise Refused(400, "INVALID_PARAMETER_VALUE", "The traffic percentages must add up to 100.")
        for route in routes:
            if (route.served_model_name or route.served_entity_name) not in names:
                raise Refused(400, "INVALID_PARAMETER_VALUE", f"No served entity {route.served_model_name}.")
    return config


def _load(directory: Path) -> Any:
    import mlflow

    return mlflow.pyfunc.load_model(str(directory))


def _picked(config: EndpointCoreConfigInput, turn: int) -> str:
    """Shares of every hundred requests, in turn: exact rather than random."""
    if config.traffic_config is None:
        return str(config.served_entities[0].name)  # type: ignore[index]
    place = turn * 37 % 100
    for route in config.traffic_config.routes or ():
        place -= route.traffic_percentage
        if place < 0:
            return str(route.served_model_name or route.served_entity_name)
    raise AssertionError("the shares add up to 100")


_JSON_TYPES = {
    "boolean": {"type": "boolean"},
    "integer": {"type": "integer", "format": "int32"},
    "long": {"type": "integer", "format": "int64"},
    "float": {"type": "number", "format": "float"},
    "double": {"type": "number", "format": "double"},
    "string": {"type": "string"},
    "binary": {"type": "string", "format": "byte"},
    "datetime": {"type": "string", "format": "date-time"},
}


def _operation(schema: Any) -> dict[str, Any]:
    columns = list(schema) if schema else []
    row = {
        "type": "object",
        "required": [column.name for column in columns if column.required],
        "properties": {column.name: _JSON_TYPES[column.type.name] for column in columns},
    }
    records = {"type": "object", "properties": {"dataframe_records": {"type": "array", "items": row}}}
    return {"post": {"requestBody": {"content": {"application/json": {"schema": {"oneOf": [records]}}}}}}
