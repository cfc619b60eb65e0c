"""What a deployment wants an endpoint to serve, and what an endpoint says it serves."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from mlops_assets.serving.protocol import ConfigUpdate, EndpointConfig, ServedEntity, Settings


class EndpointSpec(BaseModel):
    """One model version behind one endpoint, as a deployment wants it."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    name: str
    model_name: str
    version: str
    model_path: str
    environment_variables: dict[str, str] = Field(default_factory=dict, repr=False)
    tags: dict[str, str] = Field(default_factory=dict)
    timeout_seconds: float = 300
    enable_access_control: bool = True
    inference_table: str | None = None

    @property
    def config(self) -> EndpointConfig:
        """The endpoint's config: all traffic to this version."""
        entity = ServedEntity(
            entity_name=self.model_name,
            entity_version=self.version,
            model_path=str(Path(self.model_path).resolve()),
            environment_vars=self.environment_variables,
        )
        return EndpointConfig(served_entities=(entity,))

    @property
    def settings(self) -> Settings:
        """The endpoint's settings beside its config."""
        table = None if self.inference_table is None else _absolute(self.inference_table)
        return Settings(
            inference_table=table,
            timeout_seconds=self.timeout_seconds,
            enable_access_control=self.enable_access_control,
        )


class ServedVersion(BaseModel):
    """A version that takes requests, and its share of them in percent."""

    model_config = ConfigDict(frozen=True, protected_namespaces=())

    name: str
    model_name: str
    version: str
    traffic_percentage: int


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


def _absolute(path: str) -> str:
    """A local path from the root, since the gateway runs elsewhere; a URL as it is."""
    return path if "://" in path else str(Path(path).resolve())
