import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mlops_assets.config import DataConfig
from mlops_assets.lake import delta
from mlops_assets.lake.errors import LakeError, SourceChanged
from mlops_assets_tests.lake.conftest import Lake

REPLACE = {"on_changed_source": "replace", "arrival_columns": {"_source_file": "file"}}


def written(path: Path, *versions: list[int]) -> str:
    """A Delta table with one version for each list of ids."""
    shutil.rmtree(path, ignore_errors=True)
    for ids in versions:
        delta.append(str(path), pl.DataFrame({"id": ids}), transactions={})
    return str(path)


def config(lake: Lake, source: str, **fields: Any) -> DataConfig:
    return lake.config(source_path=source, format="delta", **fields)


def ids(table: str) -> list[int]:
    return sorted(delta.scan(table).collect()["id"])


@pytest.mark.parametrize("versions", [([9],), ([7], [8], [9], [10])], ids=["fewer versions", "more versions"])
def test_a_source_that_was_written_anew_is_told_from_the_one_that_was_ingested(
    lake: Lake, tmp_path: Path, versions: tuple[list[int], ...]
) -> None:
    source = written(tmp_path / "upstream", [1], [2], [3])
    lake.load(config(lake, source))
    written(tmp_path / "upstream", *versions)
    with pytest.raises(SourceChanged, match=r"upstream: this is another table than the one whose version 2 was ing"):
        lake.ingest(config(lake, source))
    assert lake.ingest(config(lake, source, on_changed_source="ignore")).ignored == ("another table",)
    delta.append(source, pl.DataFrame({"id": [20]}), transactions={})
    lake.load(config(lake, source, on_changed_source="ignore"))
    assert ids(lake.tables.silver) == [1, 2, 3, 20]


def test_a_source_that_was_written_anew_replaces_the_one_before_as_often_as_it_is(lake: Lake, tmp_path: Path) -> None:
    for versions in (([1], [2]), ([3],), ([4], [5], [6])):
        source = written(tmp_path / "upstream", *versions)
        lake.load(config(lake, source, **REPLACE))
        assert ids(lake.tables.bronze) == ids(lake.tables.silver) == [each for [each] in versions]
        assert lake.ingest(config(lake, source, **REPLACE)).rows == 0


def test_a_source_that_has_moved_goes_on_and_is_replaced_whole(lake: Lake, tmp_path: Path) -> None:
    first = written(tmp_path / "upstream", [1], [2])
    lake.load(config(lake, first, **REPLACE))
    second = str(shutil.move(first, tmp_path / "moved"))
    delta.append(second, pl.DataFrame({"id": [3]}), transactions={})
    assert lake.ingest(config(lake, second, **REPLACE)).rows == 1
    delta.overwrite(second, pl.DataFrame({"id": [4]}), transactions={})
    lake.load(config(lake, second, **REPLACE))
    assert ids(lake.tables.bronze) == ids(lake.tables.silver) == [4]


def test_a_version_before_the_one_that_was_ingested_is_refused(lake: Lake, tmp_path: Path) -> None:
    source = written(tmp_path / "upstream", [1], [2])
    lake.ingest(config(lake, source))
    with pytest.raises(LakeError, match="version 1 was ingested, and source_version 0 lies before it"):
        lake.ingest(config(lake, source, source_version=0))


@pytest.mark.parametrize("again", [1, 3])
def test_silver_is_not_continued_from_another_bronze_table(lake: Lake, again: int) -> None:
    for number in range(2):
        lake.write(f"{number}.csv", f"id\n{number}\n")
        lake.load(lake.config(columns={"id": "int"}))
    shutil.rmtree(lake.tables.bronze)
    for number in range(again):
        lake.write(f"{number}.csv", f"id\n{number}\n")
        lake.ingest(lake.config(columns={"id": "int"}))
    with pytest.raises(LakeError, match=r"bronze: this is another table than the one that .*silver was made from; rem"):
        lake.refine(lake.config(columns={"id": "int"}))
    for table in (lake.tables.silver, lake.tables.quarantine):
        shutil.rmtree(table)
    lake.refine(lake.config(columns={"id": "int"}))
    assert ids(lake.tables.silver) == list(range(max(2, again)))
