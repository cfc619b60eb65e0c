"""The warehouse as a Dagster resource."""

from pathlib import Path

import dagster as dg
from pydantic import Field

from mlops_assets.lake.locations import Warehouse


class WarehouseResource(dg.ConfigurableResource[Warehouse]):
    """Gives assets the folder layout of the tables."""

    home: str = Field(description="Folder that everything is written to (MLOPS_HOME).")

    def create_resource(self, context: dg.InitResourceContext) -> Warehouse:
        """The warehouse below `home`."""
        return Warehouse(Path(self.home))
