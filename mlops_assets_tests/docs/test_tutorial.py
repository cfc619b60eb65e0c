"""The tutorial, block by block, in a folder that has nothing but what the page says."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlops_assets.serving.gateway_process import stop
from mlops_assets_tests.docs.blocks import ROOT, blocks


@pytest.mark.slow
def test_the_tutorial_runs_from_its_own_blocks(tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLOPS_", "DAGSTER_"))}
    path = os.pathsep.join([str(Path(sys.executable).parent), kept["PATH"]])
    environment = {**kept, "PATH": path, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    environment["DAGSTER_HOME"] = str(tmp_path / ".mlops" / "dagster")
    try:
        for block in blocks(ROOT / "docs" / "tutorial.md"):
            command = {"bash": ["bash", "-euc"], "python": [sys.executable, "-c"]}[block.language]
            done = subprocess.run(
                [*command, block.text], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{block}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    finally:
        stop(tmp_path / ".mlops")
