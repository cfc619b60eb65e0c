"""A platform document: where pipelines run, and on which engine and services."""

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, SecretStr, model_validator

from mlops_assets.config.base import Duration, Environment, Name, StrictModel, Whole, parse_duration, refuse
from mlops_assets.config.environment import home

PLATFORMS = ("embedded", "spark", "databricks")


class GatewayConfig(StrictModel):
    """The serving gateway of the platforms without their own serving."""

    host: Name = Field(default="127.0.0.1", description="Address the gateway listens on.")
    port: Whole = Field(default=8787, ge=1, le=65535, description="Port the gateway listens on.")


class SparkConfig(StrictModel):
    """The Spark session."""

    master: Name = Field(default="local[2]", description="Master URL of a classic session.")
    remote: str | None = Field(default=None, description="Spark Connect URL (sc://host:port), instead of master.")
    app_name: Name = Field(default="mlops_assets", description="Name the session shows in Spark's UI.")
    settings: dict[Name, str] = Field(default={}, description="Further Spark settings, name to value.")


class UnityNames(StrictModel):
    """A schema of Unity Catalog."""

    catalog: Name = Field(description="Unity Catalog catalog of the environment.")
    schema_name: Name = Field(default="mlops", description="Schema in the catalog.")

    def __str__(self) -> str:
        """`catalog.schema`."""
        return f"{self.catalog}.{self.schema_name}"


class DatabricksConfig(StrictModel):
    """The workspace; what is not given comes from Databricks' unified authentication."""

    host: str | None = Field(default=None, description="URL of the workspace.")
    token: SecretStr | None = Field(default=None, description="Personal access token, a secret.")
    profile: str | None = Field(default=None, description="Profile of the Databricks configuration file.")
    catalog: Name = Field(default="main", description="Unity Catalog catalog of tables and models.")
    schema_name: Name = Field(default="mlops", description="Schema of tables and models in the catalog.")
    environments: dict[Environment, UnityNames] = Field(
        default={},
        description="Schemas by environment: a pipeline's tables are registered in the schema of its environment, and "
        "a deployment copies the version there before it is served.",
    )
    experiments: Name = Field(default="/Shared", description="Workspace folder of MLflow's experiments.")
    dashboards: Name = Field(
        default="/Shared",
        description="Workspace folder of the monitoring dashboards, which are published if tables are registered.",
    )
    volume: str | None = Field(default=None, description="Volume path for files (/Volumes/catalog/schema/volume).")
    remote_layers: list[Literal["bronze", "silver", "gold", "model"]] = Field(
        default=["bronze", "silver", "gold", "model"],
        description="Layers whose steps run in the workspace; the others run where Dagster does.",
    )
    engine: Literal["polars", "spark"] = Field(
        default="spark", description="Engine of the steps in the workspace: its Spark session, or Polars."
    )
    wheel: str | None = Field(default=None, description="This project's wheel, on the volume or in workspace files.")
    cluster_id: str | None = Field(default=None, description="Cluster that steps run on; serverless if not given.")
    new_cluster: dict[Name, Any] = Field(
        default={}, description="A job cluster in the terms of the Jobs API, instead of cluster_id."
    )
    timeout: Duration = Field(default=parse_duration("1h"), description="Time after which a step is cancelled.")
    permissions: dict[Name, Literal["CAN_QUERY", "CAN_VIEW", "CAN_MANAGE"]] = Field(
        default={},
        description="Who may do what with endpoints: an e-mail, group:<name> or service_principal:<application id>. "
        "Left unchanged in the workspace if not given. They replace what was granted on the endpoint itself ({} "
        "removes all of it); the deploying user keeps CAN_MANAGE.",
    )
    inference_schema: str | None = Field(
        default=None,
        description="catalog.schema of AI Gateway's inference tables. Left unchanged in the workspace if not given; an "
        "empty text switches the table off.",
    )
    tables: str | None = Field(
        default=None,
        description="Folder of an external location (abfss://…, s3://…) for tables, which are then registered in Unity "
        "Catalog by three-level names. Without it tables are on the volume, where Unity Catalog cannot register them.",
    )
    warehouse_id: str | None = Field(
        default=None, description="SQL warehouse that registers tables in Unity Catalog; needed with tables."
    )
    grants: dict[Name, list[Literal["SELECT", "MODIFY", "APPLY TAG", "ALL PRIVILEGES"]]] = Field(
        default={}, description="Privileges on every table by principal: a user, group or service principal."
    )

    @model_validator(mode="after")
    def _tables_have_a_warehouse(self) -> Self:
        if self.tables and not self.warehouse_id:
            raise refuse("tables are registered by a SQL warehouse; name it", field="warehouse_id")
        if self.grants and not self.tables:
            raise refuse("grants are on tables of Unity Catalog; say where they lie", field="tables")
        return self


class OnlineStoreConfig(StrictModel):
    """The online store of feature tables with online_store_enabled."""

    type: Literal["sqlite", "redis"] = Field(
        default="sqlite", description="sqlite is files of one machine below home/online, redis a server for several."
    )
    url: SecretStr | None = Field(
        default=None, description="The Redis server, redis://user:password@host:6379/0 or rediss://…, a secret."
    )

    @property
    def server(self) -> str | None:
        """The Redis server with its password, which must never be shown; None for sqlite."""
        return self.url.get_secret_value() if self.url else None

    @model_validator(mode="after")
    def _redis_has_a_server(self) -> Self:
        if (self.type == "redis") != (self.url is not None):
            raise refuse("type redis and url go together, and only so", field="url")
        return self


class PlatformConfig(StrictModel):
    """One platform; the embedded platform needs no document."""

    name: Literal["embedded", "spark", "databricks"] = Field(
        default="embedded", description="Which set of resources runs the pipelines."
    )
    home: Path = Field(
        default_factory=home,
        description="Folder everything is written to; MLOPS_HOME (default .mlops) if not given.",
    )
    random_seed: Whole = Field(default=0, ge=0, description="Seed of generated example data.")
    gateway: GatewayConfig = Field(default=GatewayConfig(), description="The serving gateway.")
    online_store: OnlineStoreConfig = Field(
        default=OnlineStoreConfig(), description="The online feature store of this platform."
    )
    spark: SparkConfig = Field(default=SparkConfig(), description="The Spark session of platform spark.")
    databricks: DatabricksConfig = Field(
        default=DatabricksConfig(), description="The workspace of platform databricks."
    )
