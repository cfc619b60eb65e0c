"""Steps as jobs of a Databricks workspace: this project's wheel there, its report here."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import dagster as dg
from pydantic import Field

from mlops_assets.config import Project
from mlops_assets.config.shipped import packed

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.service.jobs import SubmitTask

    from mlops_assets.resources.watched_runs import WatchedRuns

ENTRY_POINT = "mlops-assets-step"
SUBMITS = 3


class RemoteSteps(dg.ConfigurableResource[Any]):
    """Runs a step in the workspace; serverless, or on a cluster where one is named."""

    host: str | None = Field(default=None, description="Workspace; Databricks' unified authentication's without it.")
    token: str | None = Field(default=None, repr=False, description="Token; unified authentication's without it.")
    profile: str | None = Field(default=None, description="Profile of the Databricks configuration file.")
    volume: str = Field(description="Volume path (/Volumes/…) that steps read, write and report through.")
    wheel: str = Field(description="This project's wheel, on a volume or in the workspace's files.")
    layers: list[str] = Field(description="Layers whose steps run in the workspace.")
    engine: Literal["polars", "spark"] = Field(default="spark", description="What moves the rows of a step there.")
    tracking_uri: str = Field(default="databricks", description="MLflow's runs, as the step sees them.")
    registry_uri: str | None = Field(default="databricks-uc", description="MLflow's models, as the step sees them.")
    unity_models: dict[str, Any] | None = Field(default=None, description="How the register wants models named.")
    cluster_id: str | None = Field(default=None, description="Existing cluster; serverless without it.")
    new_cluster: dict[str, Any] = Field(default={}, description="A job cluster's definition, instead of cluster_id.")
    timeout_seconds: int = Field(default=3600, description="A run that takes longer is ended by the workspace.")
    poll_seconds: float = Field(default=5.0, description="Time between two looks at a run.")
    report_seconds: float = Field(default=5.0, description="Time between two looks for what a run reports.")

    def workspace(self) -> "WorkspaceClient":
        """The SDK's client."""
        from databricks.sdk import WorkspaceClient

        return WorkspaceClient(host=self.host, token=self.token, profile=self.profile)

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
            "project": packed(project),
            "home": self.volume,
            "engine": self.engine,
            "tags": dict(context.run.tags),
            "chosen": dict(context.op_execution_context.op_config or {}),
            "tracking_uri": self.tracking_uri,
            "registry_uri": self.registry_uri,
            "unity_models": self.unity_models,
        }
        watched, done = self._started(context, step, extras)
        yield from _judged(context.asset_key, watched.page, done)

    def _started(
        self, context: dg.AssetExecutionContext, step: Sequence[str], extras: Mapping[str, Any]
    ) -> "tuple[WatchedRuns, Any]":
        """Submit and wait. The token makes that a submission whose answer was lost does not run twice."""
        from databricks.sdk.errors.base import DatabricksError

        from mlops_assets.resources.watched_runs import is_passing

        token = f"{context.run.run_id[:36]}-{context.op_execution_context.retry_number}-{hash_of(step)}"
        for attempt in range(1, SUBMITS + 1):
            watched = self._watched()
            try:
                done = watched.run(
                    context=context,
                    extras=dict(extras),
                    task=self._task(step),
                    submit_args=self._submission(token, step),
                )
            except (DatabricksError, OSError, ValueError) as error:
                if watched.job is None and is_passing(error) and attempt < SUBMITS:
                    continue
                raise _refused(watched, error, str(watched.client.config.host)) from error
            if watched.interrupted is not None:
                raise watched.interrupted
            return watched, done
        raise AssertionError("the last attempt returns or raises")

    def _watched(self) -> "WatchedRuns":
        """A client with a message reader of its own: one that is used twice loses what the second run reports."""
        from dagster_databricks.pipes import PipesUnityCatalogVolumesMessageReader

        from mlops_assets.resources.watched_runs import WatchedRuns

        client = self.workspace()
        reader = PipesUnityCatalogVolumesMessageReader(
            client=client, volume_path=self.volume, interval=self.report_seconds
        )
        return WatchedRuns(client, self.volume, message_reader=reader, poll_interval_seconds=self.poll_seconds)

    def _task(self, step: Sequence[str]) -> "SubmitTask":
        from databricks.sdk.service import compute, jobs

        task = jobs.SubmitTask(
            task_key="-".join(step),
            python_wheel_task=jobs.PythonWheelTask(package_name="mlops_assets", entry_point=ENTRY_POINT),
        )
        if self.cluster_id is None and not self.new_cluster:
            task.environment_key = "step"
            return task
        task.libraries = [compute.Library(whl=self.wheel)]
        task.existing_cluster_id = self.cluster_id
        task.new_cluster = compute.ClusterSpec.from_dict(self.new_cluster) if self.new_cluster else None
        return task

    def _submission(self, token: str, step: Sequence[str]) -> dict[str, Any]:
        from databricks.sdk.service import compute, jobs

        asked: dict[str, Any] = {
            "run_name": "/".join(step),
            "idempotency_token": token,
            "timeout_seconds": self.timeout_seconds,
        }
        if self.cluster_id is None and not self.new_cluster:
            spec = compute.Environment(client="2", dependencies=[self.wheel])
            asked["environments"] = [jobs.JobEnvironment(environment_key="step", spec=spec)]
        return asked


def hash_of(step: Sequence[str]) -> str:
    """Eight hexadecimal digits of a step's name: tokens may have 64 characters."""
    from hashlib import sha256

    return sha256("/".join(step).encode()).hexdigest()[:8]


def _refused(watched: "WatchedRuns", error: Exception, host: str) -> dg.Failure:
    reason = str(error).split(". Config: ")[0]
    if watched.job is None:
        return dg.Failure(f"the workspace did not start the step: {reason} (at {host})")
    told = f"the workspace stopped answering while the step ran: {reason} (see {watched.page})"
    return dg.Failure(told, metadata={"run": dg.MetadataValue.url(watched.page)})


def _judged(asset: dg.AssetKey, page: str, done: Any) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """The results of a run that ended well, if its report is whole and says so."""
    results = list(done.get_results(implicit_materializations=False))
    outcomes = [each for each in done.get_custom_messages() if isinstance(each, dict) and "outcome" in each]
    where = {"run": dg.MetadataValue.url(page)}
    if not outcomes or not done._session.message_handler.received_closed_message:
        told = (
            f"the run ended, but its report was cut off, so nothing is known of what it did (see {page}); run it again"
        )
        raise dg.Failure(told, metadata=where)
    outcome = outcomes[-1]
    checks = [result for result in results if isinstance(result, dg.AssetCheckResult)]
    made = [result for result in results if isinstance(result, dg.MaterializeResult)]
    if outcome["outcome"] == "refused":
        raise dg.Failure(f"{outcome['reason']} (see {page})", metadata=where, allow_retries=False)
    if outcome["outcome"] == "blocked":
        yield from checks
        reasons = "; ".join(outcome["reasons"])
        told = f"{asset.to_user_string()}: nothing was written, and nothing downstream runs: {reasons} (see {page})"
        raise dg.Failure(told, metadata=where, allow_retries=False)
    if not made:
        raise dg.Failure(f"the run ended, but reported no table or model (see {page})", metadata=where)
    yield from results
