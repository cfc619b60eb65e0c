"""Dagster's Pipes client for Databricks, with what it lets pass silently made loud.

Its version 0.29 swallows the interruption that cancels a run, so that the step goes on and succeeds; and it gives up
at the first answer that is not 200 while a run goes on.
"""

from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster._core.errors import DagsterExecutionInterruptedError, DagsterPipesExecutionError
from dagster_databricks.pipes import PipesDatabricksServerlessClient
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

if TYPE_CHECKING:
    from databricks.sdk.service.jobs import RunState

ATTEMPTS = 6
LONGEST_REASON = 600


class WatchedRuns(PipesDatabricksServerlessClient):
    """One run of one step: whatever its job ends with but success is a failure that names the run's page."""

    job: int | None = None
    page: str = ""
    interrupted: DagsterExecutionInterruptedError | None = None

    def _poll_til_success(self, context: Any, run_id: int) -> None:
        self.job = run_id
        self.page = f"{str(self.client.config.host).rstrip('/')}/jobs/runs/{run_id}"
        context.log.info(f"running on the workspace as {self.page}")
        try:
            super()._poll_til_success(context, run_id)
        except DagsterExecutionInterruptedError as interrupted:
            # The caller cancels the run and forgets why; whoever called that has to raise this again.
            self.interrupted = interrupted
            raise
        except DagsterPipesExecutionError as failed:
            raise self._failure(run_id) from failed

    def _get_run_state(self, run_id: int) -> "RunState":
        """The run's state; a workspace that does not answer for a moment has not ended the run."""
        retrying = Retrying(
            retry=retry_if_exception(is_passing),
            wait=wait_random_exponential(multiplier=min(1.0, self.poll_interval_seconds), max=30),
            stop=stop_after_attempt(ATTEMPTS),
            reraise=True,
        )
        return retrying(super()._get_run_state, run_id)

    def _failure(self, run_id: int) -> dg.Failure:
        run = self.client.jobs.get_run(run_id)
        state = run.state
        result = state.result_state.value if state and state.result_state else "no result"
        reason = (state.state_message if state else "") or ""
        task = run.tasks[0].run_id if run.tasks else None
        if task is not None and result == "FAILED":
            reason = f"{reason} {self.client.jobs.get_run_output(task).error or ''}"
        self.page = run.run_page_url or self.page
        told = f"the run on the workspace ended as {result}: {reason.strip()[:LONGEST_REASON]} (see {self.page})"
        return dg.Failure(told, metadata={"run": dg.MetadataValue.url(self.page), "result": result})


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
