"""The warehouse as a Dagster resource."""

from pathlib import Path

import dagster as dg
from pydantic import Field

from mlops_assets.config.platform import DatabricksConfig
from mlops_assets.config.platforms import load_platform
from mlops_assets.lake.locations import Warehouse
from mlops_assets.lake.spark.engine import SparkEngine
from mlops_assets.resources.workspace import workspace
from mlops_assets.unity_tables import UnityCatalog, UnityTables, sql_executor
from mlops_assets.workspace_dashboards import dashboard_publisher


class WarehouseResource(dg.ConfigurableResource[Warehouse]):
    """Gives assets the folder layout of the tables."""

    home: str = Field(description="Folder that everything is written to (MLOPS_HOME).")
    platform: str = Field(default="embedded", description="Platform whose document names the online store.")
    tables: str | None = Field(default=None, description="Folder of the tables, where they are not below home.")

    def create_resource(self, context: dg.InitResourceContext) -> Warehouse:
        """The warehouse below `home`. The online store's server, a secret, is read here and is no run configuration."""
        platform = load_platform(self.platform)
        catalog = _catalog(platform.databricks) if self.tables else None
        return Warehouse(Path(self.home), online_url=platform.online_store.server, tables=self.tables, catalog=catalog)


def unity_tables_of(config: DatabricksConfig) -> UnityTables | None:
    """What the platform document says of tables in Unity Catalog; None where they lie on a volume."""
    if config.tables is None or config.warehouse_id is None:
        return None
    return UnityTables(
        f"{config.catalog}.{config.schema_name}",
        config.warehouse_id,
        {principal: list(privileges) for principal, privileges in config.grants.items()},
        {environment: str(names) for environment, names in config.environments.items()},
    )


def _catalog(config: DatabricksConfig) -> UnityCatalog | None:
    unity_tables = unity_tables_of(config)
    if unity_tables is None:
        return None
    publish = dashboard_publisher(workspace, config.dashboards, unity_tables.warehouse_id)
    return UnityCatalog(unity_tables, sql_executor(workspace, unity_tables.warehouse_id), publish)


class SparkWarehouseResource(dg.ConfigurableResource[Warehouse]):
    """Gives assets the same folders, and Spark to work on them.

    The session's settings, which may hold credentials, stay in the platform document.
    """

    home: str = Field(description="Folder that everything is written to (MLOPS_HOME), which the workers see as well.")

    def create_resource(self, context: dg.InitResourceContext) -> Warehouse:
        """The warehouse below `home`; no session is opened before a step needs it."""
        platform = load_platform("spark")
        return Warehouse(Path(self.home), SparkEngine(platform.spark), online_url=platform.online_store.server)
