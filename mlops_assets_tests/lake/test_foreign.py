from pathlib import Path

import polars as pl
import pytest

from mlops_assets.lake import delta


@pytest.mark.parametrize("folder", ["Meine Daten", "jürg", "a#b", "plain"])
def test_a_table_below_a_folder_of_any_name_is_read(tmp_path: Path, folder: str) -> None:
    path = str(tmp_path / folder / "table")
    for carrier in ("U A", "B6"):
        rows = pl.DataFrame({"carrier": [carrier], "seats": [2]})
        delta.append(path, rows, transactions={}, partition_by=["carrier"])
    assert delta.scan(path).sort("carrier").collect()["carrier"].to_list() == ["B6", "U A"]
    assert delta.scan(path).filter(pl.col("carrier") == "U A").collect()["seats"].to_list() == [2]
    assert delta.changes(path, 0, 1)["carrier"].to_list() == ["B6"]
