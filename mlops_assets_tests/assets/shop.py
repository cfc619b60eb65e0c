"""A small project of data documents on files in a temporary folder, run by Dagster in this process."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import yaml

from mlops_assets.config import load_project
from mlops_assets.definitions import build_definitions
from mlops_assets.lake.locations import Warehouse
from mlops_assets.resources.warehouse import WarehouseResource

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
ORDERS = "id,amount,email,at\n1,10,a@x,2024-01-01\n2,-5,b@x,2024-01-02\n3,7,secret,2024-01-03\n"
COLUMNS = {"id": "int", "amount": "float", "email": "string", "at": "datetime"}
FEATURES = {
    "source_table": "silver/orders",
    "feature_table_name": "order_features",
    "primary_keys": ["id"],
    "features": ["amount"],
    "timestamp_column": "at",
}


class Shop:
    """Project `shop`: silver/orders and, made from it, gold/order_features."""

    def __init__(self, folder: Path, instance: dg.DagsterInstance, **document: Any) -> None:
        self.folder, self.instance = folder, instance
        self.tables = Warehouse(folder / "home")
        self.write_orders(ORDERS)
        self.write(
            "pipeline.yaml", {"name": "shop", "owner": "a@example.com", "environment": "dev", "retry_attempts": 0}
        )
        self.write("features.yaml", FEATURES)
        self.document(**document)

    def write_orders(self, text: str, name: str = "a.csv") -> None:
        (self.folder / "orders").mkdir(exist_ok=True)
        (self.folder / "orders" / name).write_text(text)

    def write(self, name: str, content: Mapping[str, Any]) -> None:
        (self.folder / "shop").mkdir(exist_ok=True)
        (self.folder / "shop" / name).write_text(yaml.safe_dump(dict(content)))

    def document(self, **fields: Any) -> None:
        source = {"source_path": str(self.folder / "orders"), "destination_path": "shop.orders", "format": "csv"}
        self.write("data.yaml", {**source, "columns": COLUMNS, "max_error_fraction": 1.0, **fields})

    @property
    def definitions(self) -> dg.Definitions:
        resources = {"lake": WarehouseResource(home=str(self.folder / "home"))}
        return build_definitions([load_project(self.folder / "shop")], resources)

    def run(self, job: str = "shop_pipeline", **op: Any) -> dg.ExecuteInProcessResult:
        ops = {"replay_quarantine": {"config": op}} if op else {}
        return self.definitions.resolve_job_def(job).execute_in_process(
            instance=self.instance, raise_on_error=False, run_config={**QUIET, "ops": ops}
        )

    def table(self, name: str, layer: str = "silver") -> str:
        return self.tables.table("shop", layer, name)


def materialized(result: dg.ExecuteInProcessResult) -> set[str]:
    keys = (event.asset_key for event in result.get_asset_materialization_events())
    return {key.to_user_string() for key in keys if key}


def checks(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    """The evaluated checks of silver/orders."""
    every = result.get_asset_check_evaluations()
    return {each.check_name: each for each in every if each.asset_key.path[1] == "silver"}


def metadata(evaluation: Any) -> dict[str, Any]:
    return {name: value.value for name, value in evaluation.metadata.items()}
