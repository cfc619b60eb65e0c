"""A team's instance on a real Postgres server: Dagster's runs and MLflow's models."""

import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteRepositoryOrigin
from dagster._core.run_coordinator import QueuedRunCoordinator
from dagster._core.test_utils import create_run_for_test
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon

from mlops_assets.registry import ModelRegistry
from mlops_assets.scaffold import write_project
from mlops_assets.serving.gateway_process import stop
from mlops_assets_tests.deploy.postgres import postgres
from mlops_assets_tests.scaffold.test_project import real

ROOT = Path(__file__).parents[2]


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
def test_a_projects_runs_wait_for_each_other_and_other_projects_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dagster.yaml").write_text((ROOT / "deploy" / "dagster.yaml").read_text())
    with postgres(("dagster",)) as server:
        monkeypatch.setenv("DAGSTER_POSTGRES_URL", f"{server}/dagster")
        with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
            assert isinstance(instance.run_coordinator, QueuedRunCoordinator)
            origin = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("here"), "all").get_job_origin("p")
            queued = [
                create_run_for_test(
                    instance,
                    job_name="p",
                    status=dg.DagsterRunStatus.QUEUED,
                    tags={"mlops/project": project},
                    remote_job_origin=origin,
                )
                for project in ("one", "one", "two", "one", "two")
            ]
            chosen = QueuedRunCoordinatorDaemon(interval_seconds=5)._get_runs_to_dequeue(
                instance, instance.get_concurrency_config(), fixed_iteration_time=None
            )
            assert {run.run_id for run in chosen} == {queued[0].run_id, queued[2].run_id}
