"""The wheel by itself: what it brings, and that it runs where the repository is not."""

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), "."]
    subprocess.run(command, cwd=ROOT, check=True)
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture
def run(wheel: Path, tmp_path: Path) -> Run:
    """Runs a Python command on the unpacked wheel, from a folder with nothing in it."""
    package, here = tmp_path / "package", tmp_path / "here"
    zipfile.ZipFile(wheel).extractall(package)
    here.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MLOPS_")}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**kept, "PYTHONPATH": str(package), "PYTHONWARNINGS": "ignore"}
        return subprocess.run(
            [sys.executable, *arguments], cwd=here, env=environment, capture_output=True, text=True, check=False
        )

    return run


@pytest.mark.slow
def test_the_wheel_brings_the_examples_the_schemas_and_the_component(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "mlops_assets/configs/flights/training.yaml" in names
    schema = json.loads(zipfile.ZipFile(wheel).read("mlops_assets/configs/schema/training.json"))
    assert schema["properties"]["split_ratios"]["description"]
    (entries,) = [name for name in names if name.endswith("entry_points.txt")]
    assert "dagster_dg_cli.registry_modules" in zipfile.ZipFile(wheel).read(entries).decode()
    assert not any("mlops_assets_tests" in name for name in names)


@pytest.mark.slow
def test_the_wheel_runs_where_the_repository_is_not(run: Run) -> None:
    where = run("-c", "import mlops_assets; print(mlops_assets.__file__)").stdout
    assert "package/mlops_assets" in where
    checked = run("-m", "mlops_assets", "check")
    assert checked.returncode == 0, checked.stderr
    assert "flights: " in checked.stdout
    loaded = run("-c", "from mlops_assets.definitions import defs; print(len(defs.resolve_all_job_defs()))")
    assert loaded.returncode == 0, loaded.stderr
