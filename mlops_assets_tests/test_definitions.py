import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

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


def test_all_projects_load_as_dagster_loads_them_import_nothing_heavy_and_write_nothing(
    tmp_path: Path,
) -> None:
    code = f"import sys; from mlops_assets.definitions import defs; print([m for m in {HEAVY!r} if m in sys.modules])"
    code += "; print(sorted(job.name for job in defs.resolve_all_job_defs()))"
    home = tmp_path / "home"
    done = run_python("-c", code, MLOPS_HOME=str(home))
    assert done.returncode == 0, done.stderr
    imported, jobs = done.stdout.splitlines()
    assert imported == "[]"
    assert "flights_pipeline" in jobs
    assert "churn_pipeline" in jobs
    assert not home.exists()


def test_every_loader_names_the_same_module() -> None:
    workspace = yaml.safe_load((ROOT / "workspace.yaml").read_text())
    dg = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["dg"]["project"]
    assert workspace["load_from"] == [{"python_module": {"module_name": dg["code_location_target_module"]}}]


def test_a_mistake_in_a_document_is_told_with_its_place_and_nothing_loads(tmp_path: Path) -> None:
    configs = tmp_path / "configs"
    shutil.copytree(ROOT / "configs", configs)
    file = configs / "flights" / "data" / "flights.yaml"
    file.write_text(file.read_text().replace("source_path:", "source_pth:", 1))
    home = tmp_path / "home"
    result = run_python("-m", "mlops_assets", "check", MLOPS_CONFIGS=str(configs), MLOPS_HOME=str(home))
    assert result.returncode == 1
    assert "did you mean 'source_path'?" in result.stderr
    assert "data/flights.yaml" in result.stderr
    assert not home.exists()
