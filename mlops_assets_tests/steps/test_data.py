from pathlib import Path

import pytest

from mlops_assets.assets.data import bronze_asset
from mlops_assets.config import load_project
from mlops_assets.lake import delta
from mlops_assets.lake.locations import Warehouse
from mlops_assets.steps import data as steps
from mlops_assets.steps.result import StepRun


@pytest.mark.parametrize("name", ["main.shop.one", "dbfs:/mnt/silver/one"])
def test_a_data_document_reads_another_ones_table_by_its_documented_name(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "chain"
    (folder / "data").mkdir(parents=True)
    (tmp_path / "in.csv").write_text("id,x\n1,2\n")
    (folder / "pipeline.yaml").write_text("name: chain\nowner: a@b.com\ndescription: d\nenvironment: development\n")
    (folder / "data/one.yaml").write_text(
        f"source_path: {tmp_path}/in.csv\nformat: csv\ndestination_path: {name}\ncolumns: {{id: int, x: int}}\n"
    )
    (folder / "data/two.yaml").write_text(f"source_path: {name}\ndestination_path: main.shop.two\n")
    project, lake = load_project(folder), Warehouse(tmp_path / "home")
    one, two = project.data
    for document in (one, two):
        steps.bronze(project, document, lake)
        steps.silver(project, document, document.config, lake, StepRun("run-1"))
    assert delta.scan(lake.table("chain", "silver", "two")).collect().rows() == [(1, 2)]
    (dep,) = bronze_asset(project, two).asset_deps.values()
    assert [key.to_user_string() for key in dep] == ["chain/silver/one"]
