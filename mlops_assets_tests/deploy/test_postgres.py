"""A team's instance on a real Postgres server: Dagster's runs and MLflow's models."""

import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteRepositoryOrigin
from dagster._core.run_coordinator import QueuedRunCoordinator
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon

from mlops_assets.assemble import build_definitions
from mlops_assets.config import load_project
from mlops_assets.registry import ModelRegistry
from mlops_assets.resources.platforms import resources_for
from mlops_assets.scaffold import write_project
from mlops_assets.serving.gateway_process import stop
from mlops_assets_tests.deploy.postgres import postgres
from mlops_assets_tests.scaffold.test_project import real

ROOT = Path(__file__).parents[2]
SILVER = dg.AssetKey(["flights", "silver", "flights"])


@pytest.mark.slow
def test_a_pipeline_keeps_its_runs_and_models_on_postgres(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_project(tmp_path / "configs" / "aircraft", real("planes.csv"), target="engines", owner="fleet")
    (tmp_path / "dagster.yaml").write_text((ROOT / "deploy" / "dagster.yaml").read_text())
    with postgres(("dagster", "mlflow")) as server:
        monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
        monkeypatch.setenv("DAGSTER_POSTGRES_URL", f"{server}/dagster")
        monkeypatch.setenv("MLOPS_MLFLOW_URI", f"{server}/mlflow")
        monkeypatch.setenv("MLOPS_CONFIGS", str(tmp_path / "configs"))
        monkeypatch.setenv("MLOPS_BRANCH", "feature/wings")
        command = [sys.executable, "-m", "dagster", "job", "execute", "-m", "mlops_assets.definitions"]
        try:
            done = subprocess.run([*command, "-j", "aircraft_pipeline"], capture_output=True, text=True, check=False)
        finally:
            stop(home)
        assert done.returncode == 0, done.stderr[-4000:]
        with dg.DagsterInstance.get() as instance:
            (run,) = instance.get_runs()
            assert type(instance.run_storage).__name__ == "PostgresRunStorage"
            assert run.status is dg.DagsterRunStatus.SUCCESS
            assert (run.tags["branch"], run.tags["mlops/project"]) == ("feature_wings", "aircraft")
        registry = ModelRegistry(f"{server}/mlflow", home / "mlartifacts")
        champion = registry.champion("aircraft")
        assert champion is not None
        assert champion.version == "1"
        assert not list(home.glob("mlflow.db"))


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
