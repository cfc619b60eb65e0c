"""What a deployment wants an endpoint to serve, what an endpoint says it serves, and what a place that serves does."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from pydantic import BaseModel, ConfigDict, Field

from mlops_assets.serving.protocol import (
    ConfigUpdate,
    EndpointConfig,
    Route,
    ServedEntity,
    Settings,
    TrafficConfig,
)

if TYPE_CHECKING:
    import pandas


class Version(NamedTuple):
    """A version of a registered model: numbers alone are not unique, a model's copies have numbers of their own."""

    model_name: str
    version: str


class Beside(BaseModel):
    """Another version at the same endpoint, and its share of the requests in percent; of the endpoint's own model where
    none is named.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    model_name: str | None = None
    version: str
    model_path: str
    onnx_path: str | None = None
    percentage: int = Field(ge=0, le=100)


class EndpointSpec(BaseModel):
    """One model version at one endpoint, as a deployment wants it; it gets the traffic that `beside` leaves."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    name: str
    model_name: str
    version: str
    model_path: str
    onnx_path: str | None = None
    beside: tuple[Beside, ...] = ()
    shadow_percentage: int = 0
    environment_variables: dict[str, str] = Field(default_factory=dict, repr=False)
    tags: dict[str, str] = Field(default_factory=dict)
    compute_scale: int = 1
    min_replicas: int = 1
    max_replicas: int = 1
    timeout_seconds: float = 300
    enable_access_control: bool = True
    requests_per_minute: int | None = None
    inference_table: str | None = None
    logged_fraction: float = 1.0
    hashed_columns: tuple[str, ...] = ()
    dropped_columns: tuple[str, ...] = ()
    online_features: str | None = None

    @property
    def config(self) -> EndpointConfig:
        """The endpoint's config: this version first, then the others."""
        here = Beside(
            version=self.version, model_path=self.model_path, onnx_path=self.onnx_path, percentage=self.percentage
        )
        versions = (here, *self.beside)
        entities = tuple(self._entity(each) for each in versions)
        routes = tuple(
            Route(served_model_name=entity.name, traffic_percentage=each.percentage)
            for entity, each in zip(entities, versions, strict=True)
        )
        return EndpointConfig(
            served_entities=entities,
            traffic_config=TrafficConfig(routes=routes),
            shadow_percentage=self.shadow_percentage,
        )

    @property
    def percentage(self) -> int:
        """The version's share of the requests."""
        return 100 - sum(each.percentage for each in self.beside)

    @property
    def registered(self) -> Version:
        """What is served, as the registry knows it."""
        return Version(self.model_name, self.version)

    @property
    def served_name(self) -> str:
        """What the endpoint calls the version."""
        return self.config.served_entities[0].name

    @property
    def settings(self) -> Settings:
        """The endpoint's settings other than its config."""
        table = None if self.inference_table is None else _absolute(self.inference_table)
        own = self.model_dump(include=set(Settings.model_fields) - {"inference_table"})
        return Settings(inference_table=table, **own)

    def _entity(self, version: Beside) -> ServedEntity:
        return ServedEntity(
            entity_name=version.model_name or self.model_name,
            entity_version=version.version,
            model_path=str(Path(version.model_path).resolve()),
            onnx_path=version.onnx_path,
            environment_vars=self.environment_variables,
            threads=self.compute_scale,
            min_replicas=self.min_replicas,
            max_replicas=self.max_replicas,
        )


class ServedVersion(BaseModel):
    """A version that takes requests, and its share of them in percent."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    name: str
    model_name: str
    version: str
    traffic_percentage: int

    @property
    def registered(self) -> Version:
        """The version as the registry knows it."""
        return Version(self.model_name, self.version)


class EndpointStatus(BaseModel):
    """What an endpoint serves now and how its last change went; `message` says why one failed."""

    model_config = ConfigDict(frozen=True)

    name: str
    ready: bool
    config_update: ConfigUpdate
    message: str = ""
    served: tuple[ServedVersion, ...] = ()
    tags: dict[str, str] = Field(default_factory=dict)

    @property
    def settled(self) -> bool:
        """Whether no change is under way."""
        return self.config_update != "IN_PROGRESS"


class Traffic(NamedTuple):
    """What a version has answered since it is served: requests, and those among them that failed (5xx)."""

    requests: int
    failed: int


class Endpoints(Protocol):
    """What a rollout needs of the place that serves: the gateway here, or Databricks."""

    ready_seconds: float

    def apply(self, spec: EndpointSpec) -> EndpointStatus:
        """Begin to make the endpoint serve `spec`; nothing is sent where it does already."""

    def get(self, name: str) -> EndpointStatus:
        """The endpoint's status. Raises EndpointNotFound."""

    def wait_ready(self, name: str, timeout: float) -> EndpointStatus:
        """The status once no change is under way and the endpoint answers. Raises DeploymentFailed."""

    def ask(self, name: str, rows: "pandas.DataFrame", served: str) -> "pandas.DataFrame":
        """The predictions of the version called `served`, whatever its share. Raises ServingError."""

    def delete(self, name: str) -> None:
        """Serve nothing there any more. Raises EndpointNotFound."""

    def traffic(self, name: str) -> Mapping[str, Traffic]:
        """Cumulative figures by served name; without a version where they are not known."""


def _absolute(path: str) -> str:
    """A local path from the root, since the gateway runs elsewhere; a URL as it is."""
    return path if "://" in path else str(Path(path).resolve())
