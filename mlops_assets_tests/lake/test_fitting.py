from pathlib import Path

import pytest

from mlops_assets.config import DataConfig
from mlops_assets.lake import delta
from mlops_assets.lake.errors import LakeError
from mlops_assets.lake.polars import POLARS
from mlops_assets_tests.lake.conftest import Lake


@pytest.mark.parametrize("mode", ["append", "merge", "scd2", "overwrite_partitions"])
@pytest.mark.parametrize(
    ("before", "after", "first", "then"),
    [("int", "float", "1", "1.5"), ("date", "datetime", "2024-01-01", "2024-01-02T05:00"), ("bool", "int", "yes", "2")],
    ids=lambda value: value,
)
def test_a_column_that_has_another_type_now_is_refused_by_name_and_no_value_is_cut(
    tmp_path: Path, mode: str, before: str, after: str, first: str, then: str
) -> None:
    lake = Lake(tmp_path, POLARS)
    keys = ["id"] if mode in ("merge", "scd2") else []
    fields = {"primary_keys": keys, "write_mode": mode, "partitioning_columns": ["id"], "max_error_fraction": 1}
    lake.write("a.csv", f"id,x\n1,{first}\n")
    lake.load(lake.config(columns={"id": "int", "x": before}, **fields))
    lake.write("b.csv", f"id,x\n2,{then}\n,3\n")
    with pytest.raises(LakeError, match=r"silver: column 'x' is .*, and the table has it as .*declare"):
        lake.load(lake.config(columns={"id": "int", "x": after}, **fields))
    assert delta.rows(lake.tables.quarantine) == 0
    assert lake.load(lake.config(columns={"id": "int", "x": before}, **fields)).rows.read == 2


def test_a_derived_column_of_another_type_is_refused_on_either_engine(lake: Lake) -> None:
    def config(expression: str) -> DataConfig:
        step = {"type": "derive", "columns": {"y": expression}}
        return lake.config(columns={"x": "int"}, transformation_steps=[step])

    lake.write("a.csv", "x\n1\n")
    lake.load(config("x * 2"))
    lake.write("b.csv", "x\n3\n")
    with pytest.raises(LakeError, match="column 'y' is Float64, and the table has it as Int64"):
        lake.load(config("x / 2"))
