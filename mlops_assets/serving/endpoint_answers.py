"""A gateway's own answers: an endpoint's description as a status, whether it is what a spec wants, and errors."""

from collections.abc import Callable, Mapping
from typing import Any

from mlops_assets.serving.errors import (
    DeadlineExceeded,
    EndpointNotFound,
    EndpointUnavailable,
    InvalidInput,
    NotAuthorized,
    ServingError,
    Throttled,
)
from mlops_assets.serving.protocol import Settings
from mlops_assets.serving.spec import EndpointSpec, EndpointStatus, ServedVersion

_BY_STATUS: Mapping[int, Callable[[str], ServingError]] = {
    400: InvalidInput,
    401: NotAuthorized,
    403: NotAuthorized,
    404: EndpointNotFound,
    429: Throttled,
    503: EndpointUnavailable,
    504: DeadlineExceeded,
}


def error_of(status: int, content: Mapping[str, Any]) -> ServingError:
    """The error that an answer of this status means, with the field where it names one."""
    message, details = str(content["message"]), content.get("details")
    if status == 400 and details:
        return InvalidInput(message, details[0]["field_violations"][0]["field"])
    return _BY_STATUS.get(status, ServingError)(message)


def request_config(spec: EndpointSpec) -> dict[str, Any]:
    """A spec's config as it is sent."""
    return spec.config.model_dump(exclude_none=True)


def is_changing(found: Mapping[str, Any]) -> bool:
    """Whether a change is under way."""
    return bool(found["state"]["config_update"] == "IN_PROGRESS")


def matches(found: Mapping[str, Any], spec: EndpointSpec, which: str) -> bool:
    """Whether the endpoint's config (or the one it is changing to) and settings are those of `spec`."""
    if which not in found:
        return False
    entities = [{k: v for k, v in entity.items() if k != "state"} for entity in found[which]["served_entities"]]
    routes = {r["served_model_name"]: r["traffic_percentage"] for r in found[which]["traffic_config"]["routes"]}
    settings = {name: found.get(name) for name in Settings.model_fields}
    return (
        entities == list(request_config(spec)["served_entities"])
        and routes == spec.config.shares
        and settings == spec.settings.model_dump(mode="json")
        and found[which]["shadow_percentage"] == spec.config.shadow_percentage
    )


def status_of(found: Mapping[str, Any]) -> EndpointStatus:
    """An endpoint's status from its description."""
    config = found.get("config", {"served_entities": [], "traffic_config": {"routes": []}})
    shares = {r["served_model_name"]: r["traffic_percentage"] for r in config["traffic_config"]["routes"]}
    served = tuple(
        ServedVersion(
            name=entity["name"],
            model_name=entity["entity_name"],
            version=entity["entity_version"],
            traffic_percentage=shares.get(entity["name"], 0),
        )
        for entity in config["served_entities"]
    )
    state = found["state"]
    return EndpointStatus(
        name=found["name"],
        ready=state["ready"] == "READY",
        config_update=state["config_update"],
        message=state["message"],
        served=served,
        tags={tag["key"]: tag["value"] for tag in found["tags"]},
    )
