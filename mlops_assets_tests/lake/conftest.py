from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlops_assets.config import DataConfig
from mlops_assets.config.platform import SparkConfig
from mlops_assets.lake.batch import Run
from mlops_assets.lake.engine import Engine
from mlops_assets.lake.ingest import Ingested, ingest
from mlops_assets.lake.polars import POLARS
from mlops_assets.lake.refine import DataTables, Refined, refine
from mlops_assets.lake.spark.engine import SparkEngine
from mlops_assets_tests.spark_session import delta_session


class Lake:
    """A data document's source folder and tables in a temporary folder."""

    def __init__(self, folder: Path, engine: Engine[Any] = POLARS) -> None:
        self.engine = engine
        self.source = folder / "source"
        self.source.mkdir()
        self.tables = DataTables(*(str(folder / name) for name in ("bronze", "silver", "quarantine")))

    def write(self, name: str, text: str) -> Path:
        file = self.source / name
        file.write_text(text)
        return file

    def config(self, **fields: Any) -> DataConfig:
        return DataConfig.model_validate(
            {
                "source_path": str(self.source),
                "destination_path": "main.shop.orders",
                "format": "csv",
                **fields,
            }
        )

    def ingest(self, config: DataConfig) -> Ingested:
        return ingest(config, config.source_path, self.tables.bronze, self.engine)

    def refine(self, config: DataConfig, **others: Any) -> Refined:
        return refine(config, self.tables, Run("run-1"), others, self.engine)

    def load(self, config: DataConfig, **others: Any) -> Refined:
        self.ingest(config)
        return self.refine(config, **others)


@pytest.fixture(params=["polars", pytest.param("spark", marks=[pytest.mark.spark, pytest.mark.slow])])
def lake(tmp_path: Path, request: pytest.FixtureRequest) -> Lake:
    """The same documents and files on each engine."""
    return Lake(tmp_path, SparkEngine(SparkConfig(), lambda _: delta_session()) if request.param == "spark" else POLARS)


Make = Callable[..., DataConfig]
