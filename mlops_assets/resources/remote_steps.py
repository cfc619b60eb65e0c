"""Steps as jobs of a Databricks workspace: this project's wheel there, its report here."""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import dagster as dg
from pydantic import Field

from mlops_assets.config import Project
from mlops_assets.config.platforms import load_platform
from mlops_assets.config.shipped import packed
from mlops_assets.resources.workspace import workspace
from mlops_assets.secrets import VARIABLE as SECRET_STORE

if TYPE_CHECKING:
    from databricks.sdk.service.jobs import SubmitTask

    from mlops_assets.resources.remote_run import RemoteRun

ENTRY_POINT = "mlops-assets-step"
SUBMITS = 3


class RemoteSteps(dg.ConfigurableResource[Any]):
    """Runs a step in the workspace; serverless, or on a cluster where one is named."""

    volume: str = Field(description="Volume path (/Volumes/…) that steps read, write and report through.")
    wheel: str = Field(description="This project's wheel, on a volume or in the workspace's files.")
    layers: list[str] = Field(description="Layers whose steps run in the workspace.")
    engine: Literal["polars", "spark"] = Field(default="spark", description="What moves the rows of a step there.")
    tracking_uri: str = Field(default="databricks", description="MLflow's runs, as the step sees them.")
    registry_uri: str | None = Field(default="databricks-uc", description="MLflow's models, as the step sees them.")
    unity_models: dict[str, Any] | None = Field(default=None, description="How the register wants models named.")
    tables: str | None = Field(default=None, description="Folder of tables, where they are not on the volume.")
    unity_tables: dict[str, Any] | None = Field(default=None, description="How tables are registered in Unity Catalog.")
    cluster_id: str | None = Field(default=None, description="Existing cluster; serverless without it.")
    timeout_seconds: int = Field(default=3600, description="A run that takes longer is ended by the workspace.")
    poll_seconds: float = Field(default=5.0, description="Time between two looks at a run.")
    report_seconds: float = Field(default=5.0, description="Time between two looks for what a run reports.")

    def run(
        self, context: dg.AssetExecutionContext, project: Project, step: Sequence[str]
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        """What the step reports.

        Raises:
            dagster.Failure: the run was refused, failed, was cancelled or timed out, did not report to its end, or its
                rows or documents are not fit to go on; in one sentence with the run's page.
        """
        extras = {
            "step": list(step),
            "secrets": os.environ.get(SECRET_STORE),
            "project": packed(project),
            "home": self.volume,
            "engine": self.engine,
            "tags": dict(context.run.tags),
            "chosen": dict(context.op_execution_context.op_config or {}),
            "tracking_uri": self.tracking_uri,
            "registry_uri": self.registry_uri,
            "unity_models": self.unity_models,
            "tables": self.tables,
            "unity_tables": self.unity_tables,
        }
        remote, session = self._started(context, step, extras)
        yield from _judged(context.asset_key, remote, session)

    def _started(
        self, context: dg.AssetExecutionContext, step: Sequence[str], extras: Mapping[str, Any]
    ) -> "tuple[RemoteRun, dg.PipesSession]":
        """Submit and wait. The idempotency token keeps a submission whose answer was lost from running twice."""
        from databricks.sdk.errors.base import DatabricksError

        from mlops_assets.resources.remote_run import RemoteRun, is_passing

        token = f"{context.run.run_id[:36]}-{context.op_execution_context.retry_number}-{hash_of(step)}"
        for attempt in range(1, SUBMITS + 1):
            remote = RemoteRun(
                workspace(), self.volume, poll_seconds=self.poll_seconds, report_seconds=self.report_seconds
            )
            try:
                return remote, remote.report(context, dict(extras), self._task(step), self._submission(token, step))
            except (DatabricksError, OSError, ValueError) as error:
                if remote.job is None and is_passing(error) and attempt < SUBMITS:
                    continue
                raise _refused(remote, error) from error
        raise AssertionError("the last attempt returns or raises")

    def _new_cluster(self) -> "dict[str, Any]":
        """A job cluster's definition, instead of cluster_id; its settings may be secret, and stay in the document."""
        return dict(load_platform("databricks").databricks.new_cluster)

    def _task(self, step: Sequence[str]) -> "SubmitTask":
        from databricks.sdk.service import compute, jobs

        new_cluster = self._new_cluster()
        task = jobs.SubmitTask(
            task_key="-".join(step),
            python_wheel_task=jobs.PythonWheelTask(package_name="mlops_assets", entry_point=ENTRY_POINT),
        )
        if self.cluster_id is None and not new_cluster:
            task.environment_key = "step"
            return task
        task.libraries = [compute.Library(whl=self.wheel)]
        task.existing_cluster_id = self.cluster_id
        task.new_cluster = compute.ClusterSpec.from_dict(new_cluster) if new_cluster else None
        return task

    def _submission(self, token: str, step: Sequence[str]) -> dict[str, Any]:
        from databricks.sdk.service import compute, jobs

        arguments: dict[str, Any] = {
            "run_name": "/".join(step),
            "idempotency_token": token,
            "timeout_seconds": self.timeout_seconds,
        }
        if self.cluster_id is None and not self._new_cluster():
            spec = compute.Environment(client="2", dependencies=[self.wheel])
            arguments["environments"] = [jobs.JobEnvironment(environment_key="step", spec=spec)]
        return arguments


def hash_of(step: Sequence[str]) -> str:
    """Eight hexadecimal digits of a step's name: tokens may have 64 characters."""
    from hashlib import sha256

    return sha256("/".join(step).encode()).hexdigest()[:8]


def _refused(remote: "RemoteRun", error: Exception) -> dg.Failure:
    reason = str(error).split(". Config: ")[0]
    if remote.job is None:
        return dg.Failure(f"the workspace did not start the step: {reason} (at {remote.client.config.host})")
    message = f"the workspace stopped answering while the step ran: {reason} (see {remote.page})"
    return dg.Failure(message, metadata={"run": dg.MetadataValue.url(remote.page)})


def _judged(
    asset: dg.AssetKey, remote: "RemoteRun", session: dg.PipesSession
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """The results of a run that ended well, if its report is whole and says so."""
    page, metadata = remote.page, {"run": dg.MetadataValue.url(remote.page)}
    results = list(session.get_results(implicit_materializations=False, metadata=metadata))
    outcomes = [each for each in session.get_custom_messages() if isinstance(each, dict) and "outcome" in each]
    if not outcomes or not session.message_handler.received_closed_message:
        message = (
            f"the run ended, but its report was cut off, so nothing is known of what it did (see {page}); run it again"
        )
        raise dg.Failure(message, metadata=metadata)
    outcome = outcomes[-1]
    checks = [result for result in results if isinstance(result, dg.AssetCheckResult)]
    made = [result for result in results if isinstance(result, dg.MaterializeResult)]
    if outcome["outcome"] == "refused":
        raise dg.Failure(f"{outcome['reason']} (see {page})", metadata=metadata, allow_retries=False)
    if outcome["outcome"] == "blocked":
        yield from checks
        reasons = "; ".join(outcome["reasons"])
        message = f"{asset.to_user_string()}: nothing was written, and nothing downstream runs: {reasons} (see {page})"
        raise dg.Failure(message, metadata=metadata, allow_retries=False)
    if not made:
        raise dg.Failure(f"the run ended, but reported no table or model (see {page})", metadata=metadata)
    yield from results
