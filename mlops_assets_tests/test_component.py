"""The component as a team meets it: a project of their own, and Dagster's `dg` command."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlops_assets_tests.scaffold.test_project import real

ROOT = Path(__file__).parents[1]
PYPROJECT = """\
[project]
name = "team"
version = "0.1"
[tool.dg]
directory_type = "project"
[tool.dg.project]
root_module = "team"
registry_modules = ["mlops_assets"]
[tool.dg.cli]
telemetry.enabled = false
"""
DEFINITIONS = """\
from pathlib import Path

import dagster as dg


@dg.definitions
def defs():
    return dg.load_from_defs_folder(path_within_project=Path(__file__).parent)
"""


class Team:
    """A project of `dg` in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.defs = folder / "src" / "team" / "defs"
        self.defs.mkdir(parents=True)
        for package in (self.defs, self.defs.parent):
            (package / "__init__.py").touch()
        (self.defs.parent / "definitions.py").write_text(DEFINITIONS)
        (folder / "pyproject.toml").write_text(PYPROJECT)

    def dg(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join([str(ROOT), str(self.folder / "src")])
        environment = {**os.environ, "PYTHONPATH": path, "DAGSTER_HOME": str(self.folder), "PYTHONWARNINGS": "ignore"}
        environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        program = str(Path(sys.executable).with_name("dg"))
        return subprocess.run(
            [program, *arguments], cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )


@pytest.mark.slow
def test_a_team_scaffolds_a_project_checks_it_and_launches_it(tmp_path: Path) -> None:
    team = Team(tmp_path / "work")
    made = team.dg("scaffold", "defs", "mlops_assets.MlopsProject", "aircraft", "--source", str(real("planes.csv")))
    assert made.returncode == 0, made.stderr
    assert (team.defs / "aircraft" / "training.yaml").exists()
    assert team.dg("check", "yaml").returncode == 0
    assert team.dg("check", "defs").returncode == 0
    assert "aircraft/silver/aircraft" in team.dg("list", "defs", "--json").stdout
    launched = team.dg("launch", "--assets", "aircraft/bronze/aircraft,aircraft/silver/aircraft")
    assert launched.returncode == 0, launched.stdout + launched.stderr
    assert "RUN_SUCCESS" in launched.stdout + launched.stderr


@pytest.mark.slow
def test_a_mistake_in_a_component_is_told_with_its_line(tmp_path: Path) -> None:
    team = Team(tmp_path / "work")
    team.dg("scaffold", "defs", "mlops_assets.MlopsProject", "empty")
    document = team.defs / "empty" / "pipeline.yaml"
    document.write_text(document.read_text().replace("owner:", "ownr:"))
    told = team.dg("check", "defs")
    assert told.returncode == 1
    assert "pipeline.yaml:3:1: ownr: unknown field, did you mean 'owner'?" in told.stdout + told.stderr
    (team.defs / "empty" / "defs.yaml").write_text("type: mlops_assets.MlopsProject\nattributes:\n  plattform: spark\n")
    told = team.dg("check", "yaml")
    assert told.returncode == 1
    assert "defs.yaml:3" in told.stdout + told.stderr
    assert "plattform" in told.stdout + told.stderr


@pytest.mark.slow
@pytest.mark.parametrize("command", [("check", "defs"), ("list", "defs", "--json")])
def test_dg_works_on_this_repository(command: tuple[str, ...], tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DAGSTER_HOME": str(tmp_path), "PYTHONWARNINGS": "ignore"}
    program = str(Path(sys.executable).with_name("dg"))
    environment["PATH"] = os.pathsep.join([str(Path(program).parent), os.environ["PATH"]])
    done = subprocess.run([program, *command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {"check": "successfully", "list": "flights/silver/flights"}[command[0]] in done.stdout
