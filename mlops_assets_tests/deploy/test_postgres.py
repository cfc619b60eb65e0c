"""A team's instance on a real Postgres server: from a data file to an answer by the command line, and runs in turn."""

import json
import subprocess
import sys
from pathlib import Path

import dagster as dg
import httpx
import pytest
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteRepositoryOrigin
from dagster._core.run_coordinator import QueuedRunCoordinator
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon

from mlops_assets.assemble import build_definitions
from mlops_assets.config import load_project
from mlops_assets.registry import ModelRegistry
from mlops_assets.resources.platforms import resources_for
from mlops_assets.serving.gateway_process import address, stop
from mlops_assets_tests.deploy.postgres import postgres
from mlops_assets_tests.scaffold.test_project import real

ROOT = Path(__file__).parents[2]
PLANE: dict[str, object] = {
    **{"year": 2004, "type": "Fixed wing multi engine", "manufacturer": "EMBRAER", "model": "EMB-145XR"},
    **{"seats": 55, "speed": None, "engine": "Turbo-fan"},
}
SILVER = dg.AssetKey(["flights", "silver", "flights"])


@pytest.mark.slow
def test_a_real_file_becomes_a_model_that_answers_over_http_with_its_runs_and_models_on_postgres(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dagster.yaml").write_text((ROOT / "deploy" / "dagster.yaml").read_text())
    with postgres(("dagster", "mlflow")) as server:
        monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
        monkeypatch.setenv("DAGSTER_POSTGRES_URL", f"{server}/dagster")
        monkeypatch.setenv("MLOPS_MLFLOW_URI", f"{server}/mlflow")
        monkeypatch.setenv("MLOPS_CONFIGS", str(tmp_path / "configs"))
        monkeypatch.setenv("MLOPS_BRANCH", "feature/wings")
        try:
            run(tmp_path, "mlops_assets", "init", "aircraft", "--from", str(real("planes.csv")), "--target", "engines")
            run(tmp_path, "mlops_assets", "check")
            run(tmp_path, "dagster", "job", "execute", "-m", "mlops_assets.definitions", "-j", "aircraft_pipeline")
            assert predicted(home, PLANE) == 2
        finally:
            stop(home)
        with dg.DagsterInstance.get() as instance:
            (ran,) = instance.get_runs()
            assert type(instance.run_storage).__name__ == "PostgresRunStorage"
            assert ran.status is dg.DagsterRunStatus.SUCCESS
            assert (ran.tags["branch"], ran.tags["mlops/project"]) == ("feature_wings", "aircraft")
        registry = ModelRegistry(f"{server}/mlflow", home / "mlartifacts")
        champion = registry.champion("aircraft")
        assert champion is not None
        assert champion.version == "1"
        assert not list(home.glob("mlflow.db"))


def run(folder: Path, *command: str) -> None:
    """A module's command line in a folder."""
    done = subprocess.run([sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]


def predicted(home: Path, plane: dict[str, object]) -> int:
    """What the endpoint of the project says of an aircraft."""
    gateway = address(home)
    assert gateway is not None
    answer = httpx.post(
        f"{gateway.url}/serving-endpoints/aircraft/invocations",
        content=json.dumps({"dataframe_records": [plane]}),
        headers={"Authorization": f"Bearer {gateway.token_file.read_text().strip()}"},
        trust_env=False,
    )
    return int(answer.json()["predictions"][0]["prediction"])


@pytest.mark.slow
def test_a_projects_runs_wait_for_each_other_however_they_were_started_and_other_projects_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dagster.yaml").write_text((ROOT / "deploy" / "dagster.yaml").read_text())
    projects = [load_project(ROOT / "configs" / name) for name in ("flights", "churn")]
    made = build_definitions(projects, resources_for("embedded"))
    materialized_by_hand = made.resolve_implicit_global_asset_job_def()
    asked = [made.resolve_job_def(f"flights_{name}") for name in ("pipeline", "maintenance", "replay_quarantine")]
    asked += [materialized_by_hand, made.resolve_job_def("churn_maintenance"), made.resolve_job_def("churn_monitor")]
    with postgres(("dagster",)) as server:
        monkeypatch.setenv("DAGSTER_POSTGRES_URL", f"{server}/dagster")
        with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
            assert isinstance(instance.run_coordinator, QueuedRunCoordinator)
            repository = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("here"), "all")
            queued = [
                instance.create_run_for_job(
                    job,
                    status=dg.DagsterRunStatus.QUEUED,
                    asset_selection=frozenset({SILVER}) if job is materialized_by_hand else None,
                    remote_job_origin=repository.get_job_origin(job.name),
                )
                for job in asked
            ]
            daemon = QueuedRunCoordinatorDaemon(interval_seconds=5)
            # The first look of all makes the pools.
            for _ in range(2):
                chosen = daemon._get_runs_to_dequeue(instance, instance.get_concurrency_config(), None)
            assert {run.run_id for run in chosen} == {queued[0].run_id, queued[4].run_id}
