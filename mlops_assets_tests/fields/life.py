"""A small project with a document of every kind, run as a whole or in parts with some fields changed."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import polars as pl
import pytest
import yaml

from mlops_assets.cli.session import QUIET
from mlops_assets.config import Project, load_project
from mlops_assets.definitions import build_definitions
from mlops_assets.lake import delta
from mlops_assets.lake.locations import Warehouse
from mlops_assets.registry import ModelRegistry
from mlops_assets.resources.platforms import embedded_registry, resources_for
from mlops_assets.serving.gateway_process import stop

ROWS = 400  # of a day: fewer are too few to judge
PIPELINE = {"name": "shop", "owner": "shop@example.com", "environment": "dev"}
DATA = {
    "destination_path": "main.shop.customers",
    "format": "csv",
    "columns": {
        "id": "int", "at": "datetime", "region": "string", "tenure": "float", "charges": "float",
        "contract": "string", "weight": "float", "churn": "bool",
    },
}  # fmt: skip
FEATURES = {
    "source_table": "main.shop.customers",
    "feature_table_name": "customer_features",
    "primary_keys": ["id"],
    "features": ["tenure", "charges", "contract"],
    "timestamp_column": "at",
}
TRAINING = {
    "model_type": "classification",
    "algorithm": "logistic_regression",
    "target_column": "churn",
    "feature_columns": ["tenure", "charges"],
    "experiment_name": "shop",
    "registry_model_name": "churn",
}
DEPLOYMENT = {
    "model_name": "churn",
    "model_version": "latest",
    "environment": "production",
    "deployment_type": "serving_endpoint",
    "tests": [{"type": "schema"}],
}
MONITORING = {"metrics": ["feature_drift", "accuracy"], "min_sample": 50, "consecutive_windows": 1}
DOCUMENTS: dict[str, Mapping[str, Any]] = {
    "pipeline": PIPELINE,
    "data": DATA,
    "features": FEATURES,
    "training": TRAINING,
    "deployment": DEPLOYMENT,
    "monitoring": MONITORING,
}


def customers(day: int, shift: float = 0.0) -> pl.DataFrame:
    """ROWS customers of a day; charges, which churn follows, are `shift` higher."""
    draw = np.random.default_rng(day)
    charges = draw.normal(50 + shift, 10, ROWS)
    start = datetime(2024, 1, 1) + timedelta(days=day)
    return pl.DataFrame(
        {
            "id": np.arange(ROWS) + day * ROWS,
            "at": [start + timedelta(minutes=n) for n in range(ROWS)],
            "region": draw.choice(["north", "south"], ROWS),
            "tenure": draw.integers(0, 60, ROWS).astype(float),
            "charges": charges,
            "contract": draw.choice(["monthly", "yearly"], ROWS),
            "weight": draw.choice([1.0, 5.0], ROWS),
            "churn": charges + draw.normal(0, 4, ROWS) > 50,
        }
    )


class Life:
    """Project `shop` below a folder, with the resources of the embedded platform."""

    def __init__(self, folder: Path, instance: dg.DagsterInstance) -> None:
        self.folder, self.instance = folder, instance
        self.home = folder / "home"
        self.resources = resources_for("embedded")
        self.registry: ModelRegistry = embedded_registry()
        (folder / "raw").mkdir(parents=True)

    def arrive(self, day: int, shift: float = 0.0, name: str = "") -> None:
        customers(day, shift).write_csv(self.folder / "raw" / f"{name or day}.csv")

    def project(self, kinds: str = "", **changes: Mapping[str, Any]) -> Project:
        """The project with whole fields of some documents changed; only of `kinds`, where they are named."""
        configs = self.folder / "shop"
        configs.mkdir(exist_ok=True)
        source = {"data": {"source_path": str(self.folder / "raw")}}
        for kind, document in DOCUMENTS.items():
            path = configs / f"{kind}.yaml"
            path.unlink(missing_ok=True)
            if not kinds or kind in kinds.split() or kind == "pipeline":
                path.write_text(yaml.safe_dump({**document, **source.get(kind, {}), **changes.get(kind, {})}))
        return load_project(configs)

    def definitions(self, kinds: str = "", **changes: Mapping[str, Any]) -> dg.Definitions:
        return build_definitions([self.project(kinds, **changes)], self.resources)

    def run(self, *layers: str, kinds: str = "", **changes: Mapping[str, Any]) -> dg.ExecuteInProcessResult:
        """Run the assets of some layers (`silver`, `deployment/production`), all where none is named."""
        job = self.definitions(kinds, **changes).resolve_job_def("shop_pipeline")
        keys = [key for key in job.asset_layer.executable_asset_keys if matches(key, layers)]
        return job.execute_in_process(
            run_config=QUIET, instance=self.instance, raise_on_error=False, asset_selection=keys
        )

    def table(self, layer: str, name: str) -> str:
        return Warehouse(self.home).table("shop", layer, name)

    def read(self, layer: str, name: str) -> pl.DataFrame:
        return delta.scan(self.table(layer, name)).collect()


def matches(key: dg.AssetKey, layers: tuple[str, ...]) -> bool:
    text = "/".join(key.path[1:])
    return not layers or any(text == layer or text.startswith(f"{layer}/") for layer in layers)


def metadata(result: dg.ExecuteInProcessResult, name: str) -> dict[str, Any]:
    """What the run says of one asset, such as `production`."""
    events = result.get_asset_materialization_events()
    event = next(each for each in events if each.asset_key and each.asset_key.path[-1] == name)
    return {key: value.value for key, value in event.materialization.metadata.items()}


@contextmanager
def life_in(folder: Path) -> Iterator[Life]:
    """A project below `folder` with one day's rows; a gateway that it starts is stopped at the end."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("MLOPS_HOME", str(folder / "home"))
        environment.delenv("MLOPS_GATEWAY_PORT", raising=False)
        with dg.DagsterInstance.ephemeral() as instance:
            life = Life(folder, instance)
            life.arrive(0)
            try:
                yield life
            finally:
                stop(folder / "home")
