"""One endpoint of a gateway in memory: its record, the versions its requests go to, the change under way."""

import asyncio
import random
from dataclasses import dataclass
from typing import Any

from mlops_assets.serving.gateway.limits import Bucket
from mlops_assets.serving.protocol import EndpointConfig, EndpointRecord
from mlops_assets.serving.workers.replicas import Replicas


class UnknownEndpointError(LookupError):
    """No endpoint of that name."""


class EndpointExistsError(ValueError):
    """An endpoint of that name is there already."""


class UpdateInProgressError(RuntimeError):
    """An endpoint takes one change at a time."""


@dataclass(frozen=True)
class Serving:
    """The versions an endpoint's requests go to now; replaced whole, never changed."""

    versions: tuple[Replicas, ...]
    percentages: tuple[int, ...]
    shadow_percentage: int = 0

    def pick(self) -> Replicas:
        """A version by its share of the traffic."""
        if len(self.versions) == 1:
            return self.versions[0]
        return random.choices(self.versions, self.percentages)[0]

    def named(self, name: str) -> Replicas | None:
        """The version of that name, whatever its share."""
        return next((version for version in self.versions if version.entity.name == name), None)

    def shadows(self) -> list[Replicas]:
        """The versions that this request is also put to, by chance."""
        if not self.shadow_percentage or random.random() * 100 >= self.shadow_percentage:
            return []
        return [version for version, share in zip(self.versions, self.percentages, strict=True) if not share]


@dataclass
class Endpoint:
    """An endpoint's record, the versions behind it and the change that is under way."""

    record: EndpointRecord
    serving: Serving | None = None
    change: asyncio.Task[None] | None = None
    bucket: Bucket | None = None

    @property
    def ready(self) -> bool:
        """Whether every version that takes traffic can answer."""
        serving = self.serving
        return serving is not None and all(
            version.ready for version, share in zip(serving.versions, serving.percentages, strict=True) if share
        )

    def describe(self) -> dict[str, Any]:
        """The endpoint as the REST API shows it."""
        return describe(self.record, ready=self.ready)


def serving_of(config: EndpointConfig, versions: dict[str, Replicas]) -> Serving:
    """The versions, by served entity name, in the config's order and with its shares."""
    names = [entity.name for entity in config.served_entities]
    shares = tuple(config.shares.get(name, 0) for name in names)
    return Serving(tuple(versions[name] for name in names), shares, config.shadow_percentage)


def describe(record: EndpointRecord, *, ready: bool) -> dict[str, Any]:
    """The endpoint as GET answers it: Databricks' fields, our settings, and the reason in `state.message`."""
    description: dict[str, Any] = {
        "name": record.name,
        "id": record.id,
        "creation_timestamp": record.creation_timestamp,
        "last_updated_timestamp": record.last_updated_timestamp,
        "state": {
            "ready": "READY" if ready else "NOT_READY",
            "config_update": record.config_update,
            "message": record.message,
        },
        "tags": [tag.model_dump() for tag in record.tags],
        "permission_level": "CAN_MANAGE",
        **record.settings.model_dump(mode="json"),
    }
    if record.config is not None:
        description["config"] = _config(record.config, record.config_version, "DEPLOYMENT_READY")
    if record.pending is not None:
        description["pending_config"] = _config(record.pending, record.config_version + 1, "DEPLOYMENT_CREATING")
    return description


def _config(config: EndpointConfig, version: int, deployment: str) -> dict[str, Any]:
    entities = [
        {**entity.model_dump(exclude_none=True), "state": {"deployment": deployment}}
        for entity in config.served_entities
    ]
    routes = [
        {"served_model_name": name, "served_entity_name": name, "traffic_percentage": share}
        for name, share in config.shares.items()
    ]
    return {
        "served_entities": entities,
        "traffic_config": {"routes": routes},
        "shadow_percentage": config.shadow_percentage,
        "config_version": version,
    }
