from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlops_assets.config import DataConfig
from mlops_assets.lake.batch import Run
from mlops_assets.lake.ingest import Ingested, ingest
from mlops_assets.lake.polars import POLARS
from mlops_assets.lake.refine import DataTables, Refined, refine


class Lake:
    """A data document's source folder and tables in a temporary folder."""

    def __init__(self, folder: Path) -> None:
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
        return ingest(config, config.source_path, self.tables.bronze, POLARS)

    def refine(self, config: DataConfig, **others: Any) -> Refined:
        return refine(config, self.tables, Run("run-1"), others, POLARS)

    def load(self, config: DataConfig, **others: Any) -> Refined:
        self.ingest(config)
        return self.refine(config, **others)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


Make = Callable[..., DataConfig]
