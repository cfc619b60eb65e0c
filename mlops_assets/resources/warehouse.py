"""The warehouse as a Dagster resource."""

from pathlib import Path

import dagster as dg
from pydantic import Field

from mlops_assets.config.platforms import load_platform
from mlops_assets.lake.locations import Warehouse
from mlops_assets.lake.spark.engine import SparkEngine


class WarehouseResource(dg.ConfigurableResource[Warehouse]):
    """Gives assets the folder layout of the tables."""

    home: str = Field(description="Folder that everything is written to (MLOPS_HOME).")
    platform: str = Field(default="embedded", description="Platform whose document names the online store.")
    tables: str | None = Field(default=None, description="Folder of the tables, where they are not below home.")

    def create_resource(self, context: dg.InitResourceContext) -> Warehouse:
        """The warehouse below `home`. The online store's server, a secret, is read here and is no run configuration."""
        url = load_platform(self.platform).online_store.url
        secret = url.get_secret_value() if url else None
        return Warehouse(Path(self.home), online_url=secret, tables=self.tables)


class SparkWarehouseResource(dg.ConfigurableResource[Warehouse]):
    """Gives assets the same folders, and Spark to work on them.

    The session's settings, which may hold credentials, stay in the platform document.
    """

    home: str = Field(description="Folder that everything is written to (MLOPS_HOME), which the workers see as well.")

    def create_resource(self, context: dg.InitResourceContext) -> Warehouse:
        """The warehouse below `home`; no session is opened before a step needs it."""
        platform = load_platform("spark")
        url = platform.online_store.url
        return Warehouse(
            Path(self.home), SparkEngine(platform.spark), online_url=url.get_secret_value() if url else None
        )
