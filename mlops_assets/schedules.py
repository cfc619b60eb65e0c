"""A project's schedules: its pipeline, its monitoring, and scoring if it has a separate job.

A tick requests no run while another run of the same job is still queued: that run will process all the data there is,
and on a machine that is too slow for its schedule the queue would grow without end.
"""

import dagster as dg

from mlops_assets.config import Project
from mlops_assets.config.crosschecks.monitors import LONGEST_MONTH, MINUTES_A_DAY
from mlops_assets.config.lineage import model_documents
from mlops_assets.jobs import SCORE, automation_is_on

_UNITS = ((MINUTES_A_DAY, "day"), (60, "hour"), (1, "minute"))
_WAITING = [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.QUEUED]
_STATUS = {"PAUSED": dg.DefaultScheduleStatus.STOPPED, "UNPAUSED": dg.DefaultScheduleStatus.RUNNING}


def project_schedules(project: Project, jobs: list[str]) -> list[dg.ScheduleDefinition]:
    """The schedules of the pipeline, of monitoring (if enabled) and of separate scoring jobs."""
    schedules = []
    status = dg.DefaultScheduleStatus.RUNNING if automation_is_on(project) else dg.DefaultScheduleStatus.STOPPED
    schedule = project.pipeline.config.schedule
    if schedule:
        schedules.append(
            _schedule(
                name=f"{project.name}_schedule",
                job_name=f"{project.name}_pipeline",
                cron_schedule=schedule.cron,
                execution_timezone=schedule.timezone,
                default_status=status,
                description=project.pipeline.config.description,
            )
        )
    monitors = [document.config for document in project.monitoring if document.config.enabled]
    if monitors and f"{project.name}_monitor" in jobs:
        minutes = min(monitor.monitoring_interval_minutes for monitor in monitors)
        schedules.append(
            _schedule(
                name=f"{project.name}_monitor_schedule",
                job_name=f"{project.name}_monitor",
                cron_schedule=cron_lines(minutes),
                execution_timezone=schedule.timezone if schedule else "UTC",
                default_status=status,
                description=f"Ingests new data and checks for drift, {interval_text(minutes)}.",
            )
        )
    return [*schedules, *_scoring_schedules(project)]


def _scoring_schedules(project: Project) -> list[dg.ScheduleDefinition]:
    """`<project>_score_schedule` for each deployment of type `job` with a schedule; on unless it is paused.

    In a project of several models the name contains the model's.
    """
    return [
        _schedule(
            name=f"{project.name}_{documents.prefix}{SCORE}_schedule",
            job_name=f"{project.name}_{SCORE}",
            cron_schedule=schedule.cron,
            execution_timezone=schedule.timezone,
            default_status=_STATUS[schedule.pause_status or "UNPAUSED"],
            description=f"Scores new rows with the champion of {documents.model}.",
        )
        for documents in model_documents(project)
        for deployment in documents.deployments
        if (schedule := deployment.config.schedule)
    ]


def _schedule(
    *,
    name: str,
    job_name: str,
    cron_schedule: str | list[str],
    execution_timezone: str | None,
    default_status: dg.DefaultScheduleStatus,
    description: str | None,
) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=name,
        job_name=job_name,
        cron_schedule=cron_schedule,
        execution_timezone=execution_timezone,
        default_status=default_status,
        description=description,
    )
    def tick(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        waiting = context.instance.get_runs(dg.RunsFilter(job_name=job_name, statuses=_WAITING))
        # A run of only some assets does not replace a run of the job.
        complete = [run for run in waiting if run.asset_selection is None]
        if complete:
            return dg.SkipReason(
                f"Run {complete[0].run_id[:8]} of {job_name} is still queued and will process the new data."
            )
        return dg.RunRequest()

    return tick


def interval_text(minutes: int) -> str:
    """The interval that the schedule keeps, in words: `every day`, `every 90 minutes`."""
    if minutes > MINUTES_A_DAY:
        minutes = round(minutes / MINUTES_A_DAY) * MINUTES_A_DAY
    if minutes > LONGEST_MONTH:
        return "every month"
    size, unit = next((size, unit) for size, unit in _UNITS if minutes % size == 0)
    return f"every {unit}" if minutes == size else f"every {minutes // size} {unit}s"


def cron_lines(minutes: int) -> str | list[str]:
    """The cron lines of an interval, counted from midnight; days are counted from the first of the month."""
    if minutes >= MINUTES_A_DAY:
        days = round(minutes / MINUTES_A_DAY)
        return "0 0 * * *" if days == 1 else f"0 0 */{days} * *"
    if minutes < 60 and 60 % minutes == 0:
        return f"*/{minutes} * * * *"
    times = [divmod(start, 60) for start in range(0, MINUTES_A_DAY, minutes)]
    return [f"{minute} {hour} * * *" for hour, minute in times]
