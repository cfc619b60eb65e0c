"""Files that a vacuum removed before they were read: one sentence, and the tables as they were."""

from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from mlops_assets.lake import delta
from mlops_assets.lake.errors import LakeError
from mlops_assets.lake.polars import POLARS
from mlops_assets_tests.lake.conftest import Lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path, POLARS)


def vacuum(path: str) -> None:
    """All files that the newest version does not need."""
    table = DeltaTable(path)
    table.optimize.compact()
    table.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False)


def test_bronze_rows_that_are_gone_before_silver_has_them_are_told(lake: Lake) -> None:
    for number in range(3):
        lake.write(f"{number}.csv", f"id\n{number}\n")
        lake.ingest(lake.config())
        if number == 0:
            lake.refine(lake.config())
    vacuum(lake.tables.bronze)
    with pytest.raises(LakeError, match=r"bronze: data files of versions that were not read yet are gone"):
        lake.refine(lake.config())
    assert delta.scan(lake.tables.silver).collect()["id"].to_list() == [0]


def test_rows_of_a_source_table_that_are_gone_are_told(lake: Lake) -> None:
    source = str(lake.source / "table")
    config = lake.config(source_path=source, format="delta")
    delta.append(source, pl.DataFrame({"id": [0]}), transactions={})
    lake.load(config)
    for number in (1, 2):
        delta.append(source, pl.DataFrame({"id": [number]}), transactions={})
    vacuum(source)
    with pytest.raises(LakeError, match=r"table: data files of versions that were not read yet are gone"):
        lake.ingest(config)
    assert delta.rows(lake.tables.bronze) == 1


def test_changes_that_are_gone_are_told(tmp_path: Path) -> None:
    path = str(tmp_path / "table")
    for number in range(3):
        delta.append(path, pl.DataFrame({"id": [number]}), transactions={})
    vacuum(path)
    with pytest.raises(LakeError, match=r"keep them longer"):
        delta.changes(path, 0)
