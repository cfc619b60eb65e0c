"""One run of one step in a workspace: submitted, watched to its end, its report read through Dagster Pipes.

Made of Pipes' sessions and Databricks' SDK: the client of dagster-databricks 0.29 lets an interrupted run pass as a
success, and gives up at the first answer that is not 200.
"""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster_databricks.pipes import PipesUnityCatalogVolumesContextInjector, PipesUnityCatalogVolumesMessageReader
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.service.jobs import Run, SubmitTask

ATTEMPTS = 6
LONGEST_REASON = 600
ENDED = ("TERMINATED", "SKIPPED", "INTERNAL_ERROR")
GONE = (*ENDED, "TERMINATING")
CANCEL_SECONDS = 60


class RemoteRun:
    """Whatever the run ends with but success is a failure that names its page; `job` is None until it is submitted."""

    def __init__(self, client: "WorkspaceClient", volume: str, *, poll_seconds: float, report_seconds: float) -> None:
        """Ask nothing yet."""
        self.client, self.volume = client, volume
        self.poll_seconds, self.report_seconds = poll_seconds, report_seconds
        self.job: int | None = None
        self.page = ""

    def report(
        self,
        context: dg.AssetExecutionContext,
        extras: dict[str, Any],
        task: "SubmitTask",
        submission: Mapping[str, Any],
    ) -> dg.PipesSession:
        """The session of a run that ended well, with all that it reported.

        Raises:
            dagster.Failure: it ended otherwise.
            databricks.sdk.errors.DatabricksError, OSError, ValueError: the workspace refused, or stopped answering.
        """
        # A reader that is used twice loses what the second run reports.
        reader = PipesUnityCatalogVolumesMessageReader(
            client=self.client, volume_path=self.volume, interval=self.report_seconds
        )
        injector = PipesUnityCatalogVolumesContextInjector(client=self.client, volume_path=self.volume)
        with dg.open_pipes_session(
            context=context, extras=extras, context_injector=injector, message_reader=reader
        ) as session:
            self._submit(session, task, submission)
            context.log.info(f"running on the workspace as {self.page}")
            try:
                run = self._ended()
            except BaseException:
                self._cancel(context)
                raise
            self._judge(run)
        return session

    def _submit(self, session: dg.PipesSession, task: "SubmitTask", submission: Mapping[str, Any]) -> None:
        assert task.python_wheel_task is not None
        task.python_wheel_task.parameters = [
            text for pair in session.get_bootstrap_cli_arguments().items() for text in pair
        ]
        self.job = int(self.client.jobs.submit(tasks=[task], **submission).bind()["run_id"])
        self.page = f"{str(self.client.config.host).rstrip('/')}/jobs/runs/{self.job}"

    def _ended(self) -> "Run":
        while True:
            run = self._looked_at()
            if _life(run) in ENDED:
                return run
            time.sleep(self.poll_seconds)

    def _looked_at(self) -> "Run":
        """The run; a workspace that does not answer for a moment has not ended it."""
        retrying = Retrying(
            retry=retry_if_exception(is_passing),
            wait=wait_random_exponential(multiplier=min(1.0, self.poll_seconds), max=30),
            stop=stop_after_attempt(ATTEMPTS),
            reraise=True,
        )
        assert self.job is not None
        return retrying(self.client.jobs.get_run, self.job)

    def _cancel(self, context: dg.AssetExecutionContext) -> None:
        """Cancel the run, which nobody waits for any more: it must not run concurrently with the next attempt."""
        from databricks.sdk.errors.base import DatabricksError

        assert self.job is not None
        deadline = time.monotonic() + CANCEL_SECONDS
        try:
            self.client.jobs.cancel_run(self.job)
            while _life(self.client.jobs.get_run(self.job)) not in GONE and time.monotonic() < deadline:
                time.sleep(self.poll_seconds)
        except (DatabricksError, OSError, ValueError) as error:
            # The step's own failure is raised; this is only logged in addition.
            context.log.warning(f"whether {self.page} was cancelled is not known: {error}")

    def _judge(self, run: "Run") -> None:
        state = run.state
        result = state.result_state.value if state and state.result_state else "no result"
        if result == "SUCCESS":
            return
        reason = (state.state_message if state else "") or ""
        if run.tasks and run.tasks[0].run_id is not None and result == "FAILED":
            reason = f"{reason} {self.client.jobs.get_run_output(run.tasks[0].run_id).error or ''}"
        self.page = run.run_page_url or self.page
        message = f"the run on the workspace ended as {result}: {reason.strip()[:LONGEST_REASON]} (see {self.page})"
        raise dg.Failure(message, metadata={"run": dg.MetadataValue.url(self.page), "result": result})


def _life(run: "Run") -> str:
    return run.state.life_cycle_state.value if run.state and run.state.life_cycle_state else ""


def is_passing(error: BaseException) -> bool:
    """Whether asking the workspace again may help."""
    from json import JSONDecodeError

    import requests
    from databricks.sdk import errors
    from databricks.sdk.errors.base import DatabricksError

    lasting = (errors.NotFound, errors.PermissionDenied, errors.Unauthenticated, errors.BadRequest)
    if isinstance(error, DatabricksError):
        return not isinstance(error, lasting)
    return isinstance(error, (JSONDecodeError, TimeoutError, requests.RequestException))
