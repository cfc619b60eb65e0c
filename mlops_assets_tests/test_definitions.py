import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
HEAVY = ("mlflow", "sklearn", "pandas", "pyspark", "scipy", "pandera", "skops", "databricks")


def run_python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_loading_the_definitions_imports_nothing_heavy(tmp_path: Path) -> None:
    code = f"import sys, mlops_assets.definitions; print([m for m in {HEAVY!r} if m in sys.modules])"
    assert run_python("-c", code, MLOPS_HOME=str(tmp_path)).stdout.strip() == "[]"


def test_loading_the_definitions_writes_nothing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert run_python("-c", "import mlops_assets.definitions", MLOPS_HOME=str(home)).returncode == 0
    assert not home.exists()


def test_every_loader_names_the_same_module() -> None:
    workspace = yaml.safe_load((ROOT / "workspace.yaml").read_text())
    dg = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["dg"]["project"]
    assert workspace["load_from"] == [{"python_module": {"module_name": dg["code_location_target_module"]}}]


@pytest.mark.parametrize(
    ("document", "right", "wrong", "told"),
    [
        ("data/flights.yaml", "source_path:", "source_pth:", "did you mean 'source_path'?"),
        ("data/flights.yaml", "format: csv", "format: cvs", "csv"),
        ("data/planes.yaml", '"seats > 0"', '"seats = 0"', "=="),
        ("data/planes.yaml", '"dbfs:/landing', '"dbfs:/${NOWHERE}', "NOWHERE"),
        (
            "features.yaml",
            "source_table: main.nyc.flights",
            "source_table: main.nyc.flihgts",
            "did you mean 'flights'?",
        ),
        ("training.yaml", "target_column: late", "", "target_column"),
        ("training.yaml", "max_iter: 100", "max_itre: 100", "did you mean 'max_iter'?"),
    ],
)
def test_a_mistake_in_a_document_is_told_with_its_place_and_nothing_loads(
    tmp_path: Path, document: str, right: str, wrong: str, told: str
) -> None:
    configs = tmp_path / "configs"
    shutil.copytree(ROOT / "configs", configs)
    file = configs / "flights" / document
    assert right in file.read_text()
    file.write_text(file.read_text().replace(right, wrong, 1))
    home = tmp_path / "home"
    result = run_python("-m", "mlops_assets", "check", MLOPS_CONFIGS=str(configs), MLOPS_HOME=str(home))
    assert result.returncode == 1
    assert told in result.stderr
    assert document in result.stderr
    assert not home.exists()


def test_all_projects_of_the_repository_load_together_as_dagster_loads_them(tmp_path: Path) -> None:
    code = "from mlops_assets.definitions import defs; print(sorted(job.name for job in defs.resolve_all_job_defs()))"
    done = run_python("-c", code, MLOPS_HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "flights_pipeline" in done.stdout
    assert "churn_pipeline" in done.stdout
