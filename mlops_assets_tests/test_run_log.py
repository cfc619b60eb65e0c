"""What a run says while it runs: to a person, and to a machine that asks for JSON."""

import json
import re
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
import yaml

from mlops_assets_tests.assets.shop import Shop
from mlops_assets_tests.docs.blocks import ROOT, blocks

RULES = [{"name": "positive", "condition": "amount > 0"}]


def executed(folder: Path, settings: str) -> list[str]:
    """The lines that `dagster job execute` writes of the shop's pipeline, on an instance with these settings."""
    with dg.DagsterInstance.ephemeral() as instance:
        Shop(folder, instance, validation_rules=RULES)
    (folder / "dagster").mkdir()
    (folder / "dagster" / "dagster.yaml").write_text(settings)
    environment = {
        **{"MLOPS_HOME": str(folder / "home"), "MLOPS_CONFIGS": str(folder / "shop"), "PYTHONWARNINGS": "ignore"},
        **{"DAGSTER_HOME": str(folder / "dagster"), "PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
    }
    job = ["job", "execute", "-m", "mlops_assets.definitions", "-j", "shop_pipeline"]
    command = [sys.executable, "-m", "dagster", *job]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]


def test_a_run_writes_a_line_a_step_with_its_seconds_and_rows(tmp_path: Path) -> None:
    lines = executed(tmp_path, (ROOT / "dagster.yaml").read_text())
    silver = [line for line in lines if "shop__silver__orders" in line]
    assert len(silver) == 1
    assert re.search(r"orders: \d+\.\d s, .*rows_read 3, rows_written 2, rows_quarantined 1", silver[0])
    assert not [line for line in lines if "STEP_" in line]


def test_events_are_json_lines_where_the_instance_asks_for_them(tmp_path: Path) -> None:
    (block,) = blocks(ROOT / "docs" / "how-to" / "logs.md", "yaml")
    settings = yaml.safe_load((ROOT / "dagster.yaml").read_text()) | yaml.safe_load(block.text)
    lines = executed(tmp_path, yaml.safe_dump(settings))
    told = [json.loads(line) for line in lines if line.startswith("{")]
    made = {each["asset"]: each for each in told if each.get("event") == "ASSET_MATERIALIZATION"}
    silver = made["shop/silver/orders"]
    assert (silver["rows_read"], silver["rows_written"], silver["rows_quarantined"]) == (3, 2, 1)
    assert {each["run"] for each in told} == {silver["run"]}
    check = next(each for each in told if each.get("check") == "positive")
    assert (check["passed"], check["failed_rows"]) == (False, 1)
    ended = [each for each in told if each.get("event") == "STEP_SUCCESS"]
    assert {each["step"] for each in ended} >= {"shop__bronze__orders", "shop__silver__orders"}
    assert all(each["seconds"] > 0 for each in ended)
    assert [each for each in told if each.get("event") == "RUN_SUCCESS"]


@pytest.mark.parametrize("file", ["dagster.yaml", "deploy/dagster.yaml"])
def test_both_instances_keep_dagsters_own_steps_off_the_terminal(file: str) -> None:
    assert yaml.safe_load((ROOT / file).read_text())["python_logs"]["python_log_level"] == "INFO"
