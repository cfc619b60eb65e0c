"""Databricks' serving-endpoint bodies as strict models: what may be deployed, and what is kept of it.

Fields that Databricks does not have, for endpoints served here: `model_path`, `onnx_path`, `threads` and the
replicas of a served entity, `shadow_percentage` of a config, and the Settings of an endpoint.
"""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

EndpointName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$")]
ConfigUpdate = Literal["NOT_UPDATING", "IN_PROGRESS", "UPDATE_FAILED", "UPDATE_CANCELED"]
MAX_TIMEOUT_SECONDS = 3600


class Body(BaseModel):
    """A JSON object of the protocol: unknown fields are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, populate_by_name=True)


class ServedEntity(Body):
    """One model version behind an endpoint. Equal entities are served by the same process."""

    name: str = Field(default="", pattern=r"^[A-Za-z0-9_-]*$")
    entity_name: str = Field(min_length=1)
    entity_version: str = Field(pattern=r"^[0-9]+$")
    model_path: str = Field(min_length=1)
    onnx_path: str | None = None
    environment_vars: dict[str, str] = Field(default_factory=dict, repr=False)
    workload_size: str = "Small"
    workload_type: str = "CPU"
    scale_to_zero_enabled: bool = False
    min_provisioned_concurrency: int | None = None
    max_provisioned_concurrency: int | None = None
    threads: int = Field(default=1, ge=1, le=256)
    min_replicas: int = Field(default=1, ge=0, le=256)
    max_replicas: int = Field(default=1, ge=1, le=256)

    @model_validator(mode="before")
    @classmethod
    def _name_after_the_version(cls, data: Any) -> Any:
        if not isinstance(data, dict) or data.get("name"):
            return data
        name = re.sub(r"[^A-Za-z0-9_-]", "-", f"{data.get('entity_name', '')}-{data.get('entity_version', '')}")
        return {**data, "name": name}


class Route(Body):
    """The share of an endpoint's requests, in whole percent, that goes to one served entity."""

    served_model_name: str = Field(validation_alias=AliasChoices("served_model_name", "served_entity_name"))
    traffic_percentage: int = Field(ge=0, le=100)


class TrafficConfig(Body):
    """How requests are split."""

    routes: tuple[Route, ...]


class EndpointConfig(Body):
    """What an endpoint serves; one served entity takes all requests where no traffic is given.

    `shadow_percentage` of the requests are also put to the entities that take no traffic; those answers are only
    compared with the one that was given.
    """

    served_entities: tuple[ServedEntity, ...] = Field(min_length=1)
    traffic_config: TrafficConfig | None = None
    shadow_percentage: int = Field(default=0, ge=0, le=100)

    @model_validator(mode="after")
    def _routes_cover_all_requests(self) -> Self:
        names = [entity.name for entity in self.served_entities]
        if len(set(names)) != len(names):
            raise ValueError("served_entities: every served entity needs a name of its own")
        if self.traffic_config is None and len(names) > 1:
            raise ValueError("traffic_config: say which share each of the served entities takes")
        shares = self.shares
        if unknown := sorted(set(shares) - set(names)):
            raise ValueError(f"traffic_config.routes: {unknown[0]!r} is none of {', '.join(names)}")
        if sum(shares.values()) != 100:
            raise ValueError(f"traffic_config.routes: the percentages add up to {sum(shares.values())}, not 100")
        return self

    @property
    def shares(self) -> dict[str, int]:
        """Served entity name to percent of the requests."""
        if self.traffic_config is None:
            return {self.served_entities[0].name: 100}
        return {route.served_model_name: route.traffic_percentage for route in self.traffic_config.routes}


class Tag(Body):
    """A key with a value on an endpoint."""

    key: str = Field(min_length=1)
    value: str = ""


class Settings(Body):
    """What an endpoint served here may set beyond Databricks' fields."""

    inference_table: str | None = None
    logged_fraction: float = Field(default=1.0, ge=0, le=1)
    hashed_columns: tuple[str, ...] = ()
    dropped_columns: tuple[str, ...] = ()
    timeout_seconds: float = Field(default=300, gt=0, le=MAX_TIMEOUT_SECONDS)
    enable_access_control: bool = True
    requests_per_minute: int | None = Field(default=None, ge=1)
    online_features: str | None = Field(default=None, pattern=r"^[^/]+/[^/]+$")


class CreateEndpoint(Settings):
    """Body of POST /api/2.0/serving-endpoints."""

    name: EndpointName
    config: EndpointConfig
    tags: tuple[Tag, ...] = ()


class UpdateConfig(EndpointConfig, Settings):
    """Body of PUT /api/2.0/serving-endpoints/{name}/config; settings it does not name stay as they are."""


class PatchTags(Body):
    """Body of PATCH /api/2.0/serving-endpoints/{name}/tags."""

    add_tags: tuple[Tag, ...] = ()
    delete_tags: tuple[str, ...] = ()


class EndpointRecord(BaseModel):
    """An endpoint as it is stored: what it serves, what it is changing to, and how the last change went."""

    model_config = ConfigDict(extra="forbid")

    name: EndpointName
    id: str
    creation_timestamp: int
    last_updated_timestamp: int
    settings: Settings
    tags: tuple[Tag, ...] = ()
    config: EndpointConfig | None = None
    config_version: int = 0
    pending: EndpointConfig | None = None
    pending_settings: Settings | None = None
    config_update: ConfigUpdate = "NOT_UPDATING"
    message: str = ""


def problem_of(error: ValidationError) -> tuple[str, str]:
    """The first field a body got wrong and why, without the value."""
    first = error.errors(include_input=False, include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    return field, first["msg"].removeprefix("Value error, ")
