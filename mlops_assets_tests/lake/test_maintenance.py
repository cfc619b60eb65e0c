"""Care of a table: what no version within its retention needs leaves the disk, and nothing else."""

from datetime import timedelta
from pathlib import Path

import polars as pl

from mlops_assets.lake import delta
from mlops_assets.lake.maintenance import maintain
from mlops_assets.lake.writing import CHECKPOINT


def test_files_from_before_a_checkpoint_and_of_killed_writers_leave_once_retention_is_over(
    tmp_path: Path,
) -> None:
    table = tmp_path / "table"
    for number in range(2 * CHECKPOINT + 2):
        delta.overwrite(str(table), pl.DataFrame({"id": [number]}), transactions={})
    (table / "part-of-a-killed-writer.parquet").write_bytes(b"PAR1")

    kept = maintain(str(table), retention=timedelta(hours=1))
    gone = maintain(str(table), retention=timedelta(0))

    assert (kept.removed, gone.removed) == (0, 2 * CHECKPOINT + 2)
    assert len(list(table.glob("*.parquet"))) == 1
    assert delta.scan(str(table)).collect()["id"].to_list() == [2 * CHECKPOINT + 1]
