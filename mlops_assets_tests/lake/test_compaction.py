"""Small files are put together as they come, with every row and every change as it was."""

from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable
from polars.testing import assert_frame_equal

from mlops_assets.lake import compaction, delta
from mlops_assets.lake.compaction import FILES, PROPERTY, compact_small_files, target_size
from mlops_assets.lake.maintenance import maintain
from mlops_assets.lake.writing import CONFIGURATION


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "table")


def fill(path: str, files: int = FILES, **more: object) -> None:
    for number in range(files):
        rows = pl.DataFrame({"number": [number] * 10, "part": [number % 2] * 10})
        delta.append(path, rows, transactions={"number": number}, **more)  # type: ignore[arg-type]


def test_fifty_small_files_become_a_few_and_a_table_that_was_put_together_is_left_alone(path: str) -> None:
    fill(path)
    before = delta.scan(path).sort("number").collect()
    assert compact_small_files(path) == FILES
    assert delta.files(path).height <= 4
    assert_frame_equal(delta.scan(path).sort("number").collect(), before)
    assert delta.transaction_version(path, "number") == FILES - 1
    assert compact_small_files(path) == 0
    assert delta.version(path) == FILES


def test_fewer_files_and_those_of_many_partitions_stay(path: str, tmp_path: Path) -> None:
    fill(path, FILES - 1)
    assert compact_small_files(path) == 0
    parted = str(tmp_path / "parted")
    fill(parted, FILES + 20, partition_by=["part"])
    assert compact_small_files(parted) == 0
    assert compact_small_files(str(tmp_path / "nothing")) == 0


def test_a_document_can_switch_it_off(path: str) -> None:
    fill(path, properties={**CONFIGURATION, PROPERTY: "false"})
    assert compact_small_files(path) == 0
    assert delta.files(path).height == FILES


def test_who_reads_changes_is_told_the_rows_that_came_and_none_that_were_put_together(path: str) -> None:
    fill(path)
    delta.merge(path, pl.DataFrame({"number": [777], "part": [0]}), keys=["number"], transactions={})
    version = delta.latest(path)
    assert compact_small_files(path) > 0
    delta.merge(path, pl.DataFrame({"number": [777], "part": [1]}), keys=["number"], transactions={})
    assert delta.changes(path, version).rows() == [(777, 1)]
    assert delta.changes(path, version - 1).rows() == [(777, 0), (777, 1)]
    assert sorted(delta.changes(path, version - 3)["number"].unique()) == [FILES - 2, FILES - 1, 777]


def test_files_put_together_before_are_so_again_only_with_fifty_of_their_own_size() -> None:
    small = {"size_bytes": [1000] * FILES + [26_000] * (FILES - 1)}
    assert target_size(pl.DataFrame(small)) == 25_000
    assert target_size(pl.DataFrame({"size_bytes": [1000] * 10 + [26_000] * FILES})) == 650_000
    assert target_size(pl.DataFrame({"size_bytes": [1000] * 49 + [26_000] * 49})) is None


def test_the_maintenance_of_a_table_goes_by_its_writes(path: str) -> None:
    fill(path)
    compact_small_files(path)
    assert maintain(path, z_order_by=["number"]).order == "z-order by number"
    assert maintain(path, z_order_by=["number"]).order == "nothing new"


def test_rows_that_another_run_removed_meanwhile_do_not_come_back(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(path)
    before = DeltaTable(path)
    DeltaTable(path).delete("number = 7")
    monkeypatch.setattr(compaction, "current", lambda _: before)
    assert compact_small_files(path) == 0
    assert delta.rows(path) == 10 * (FILES - 1)


def test_a_table_is_put_in_the_order_that_its_document_says_by_now_once(tmp_path: Path) -> None:
    path = str(tmp_path / "table")
    for number in range(2):
        delta.append(path, pl.DataFrame({"x": [number], "y": [number]}), transactions={})
    wanted: list[list[str]] = [[], ["x"], ["x"], ["x", "y"]]
    done = [maintain(path, columns).order for columns in wanted]
    assert done == ["compact", "z-order by x", "nothing new", "z-order by x, y"]
