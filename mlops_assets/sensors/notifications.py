"""The notification sensor: one mail for each run that started, succeeded or failed.

If the mail server is down, the next ticks try again, up to five times per mail; then the sensor logs that it gave up
and goes on with the next. A mail that has reached some recipients is not sent again for the others.
"""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

import dagster as dg
from dagster import DagsterEventType

from mlops_assets.config import Project
from mlops_assets.config.alert_channels import EmailChannel
from mlops_assets.config.pipeline import NotificationConfig
from mlops_assets.monitoring.delivery import Delivery, deliver
from mlops_assets.monitoring.message import Message, Tone
from mlops_assets.sensors.run_changes import Change, RunChange, newest_position, run_changes

MOST_TICKS = 5
_WORDS: dict[Change, tuple[str, Tone]] = {
    DagsterEventType.RUN_START: ("started", "info"),
    DagsterEventType.RUN_SUCCESS: ("succeeded", "success"),
    DagsterEventType.RUN_FAILURE: ("failed", "failure"),
}


@dataclass(frozen=True)
class Cursor:
    """The position of the last change that was handled, and how often the next one has failed."""

    position: int
    ticks: int = 0


def notification_sensor(project: Project, notification: NotificationConfig, jobs: Sequence[str]) -> dg.SensorDefinition:
    """`<project>_notifications`: a mail for each kind of run change that the pipeline document asks for."""
    kinds = wanted_kinds(notification)
    people = EmailChannel(type="email", recipients=notification.recipients)

    @dg.sensor(
        name=f"{project.name}_notifications",
        minimum_interval_seconds=30,
        # A run that a person starts is reported too: on even where the schedule is paused.
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Mail when a run has {' or '.join(_WORDS[kind][0] for kind in kinds)}.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        if context.cursor is None:
            context.update_cursor(json.dumps(asdict(Cursor(newest_position(context.instance, list(_WORDS))))))
            return dg.SkipReason("Watching from now on; earlier runs are not reported.")
        cursor = Cursor(**json.loads(context.cursor))
        changes = run_changes(context.instance, kinds, cursor.position)

        def send(change: RunChange) -> Delivery:
            return deliver(people, message(context.instance, change), os.environ)

        after, problems = send_all(changes, jobs, cursor, send)
        context.update_cursor(json.dumps(asdict(after)))
        for problem in problems:
            context.log.warning(problem)
        done = sum(change.job in jobs and change.position <= after.position for change in changes)
        return dg.SkipReason(" ".join([f"{done} run changes handled.", *problems]))

    return sensor


def wanted_kinds(notification: NotificationConfig) -> list[Change]:
    """The kinds of run change that the document wants mails about."""
    wanted: dict[Change, bool] = {
        DagsterEventType.RUN_START: notification.on_start,
        DagsterEventType.RUN_SUCCESS: notification.on_success,
        DagsterEventType.RUN_FAILURE: notification.on_failure,
    }
    return [kind for kind, requested in wanted.items() if requested]


def send_all(
    changes: Sequence[RunChange], jobs: Sequence[str], cursor: Cursor, send: Callable[[RunChange], Delivery]
) -> tuple[Cursor, list[str]]:
    """Send the changes of `jobs` in order, up to the first that cannot be sent; returns new cursor and problems."""
    problems = []
    for change in changes:
        result = send(change) if change.job in jobs else None
        if result and not result.sent:
            cursor = replace(cursor, ticks=cursor.ticks + 1)
            problems.append(f"The mail about run {change.run_id} could not be sent: {result.error}.")
            if cursor.ticks < MOST_TICKS and not result.reached:
                return cursor, problems
            problems.append(
                "The other recipients have it." if result.reached else f"Giving up after {MOST_TICKS} ticks."
            )
        cursor = Cursor(change.position)
    return cursor, problems


def message(instance: dg.DagsterInstance, change: RunChange) -> Message:
    """The mail about a run: its job, state and times, why it failed, and the alarm that requested it."""
    run, job = instance.get_run_record_by_id(change.run_id), change.job
    verb, tone = _WORDS[change.kind]
    lines = [f"Run {change.run_id} of {job} has {verb}."]
    if run and run.start_time:
        lines.append(
            f"Started {_instant(run.start_time)}" + (f", ended {_instant(run.end_time)}" if run.end_time else "")
        )
    if change.kind is DagsterEventType.RUN_FAILURE:
        lines += [change.message, *_failures(instance, change.run_id)]
    reason = run.dagster_run.tags.get("mlops/reason") if run else None
    lines += [f"Requested because of {reason}"] if reason else []
    facts = {"kind": f"run_{verb}", "job": job, "run_id": change.run_id}
    return Message(job, f"{job} {verb}", "\n".join(lines), tone, facts)


def _failures(instance: dg.DagsterInstance, run_id: str) -> list[str]:
    """Which steps failed and why, a line each."""
    lines = []
    for entry in instance.all_logs(run_id, of_type=DagsterEventType.STEP_FAILURE):
        failure = entry.dagster_event.step_failure_data if entry.dagster_event else None
        reason = failure.user_failure_data.description if failure and failure.user_failure_data else None
        error = failure.error if failure else None
        while error and error.cause:
            error = error.cause
        lines.append(f"{entry.step_key}: {reason or (error.message.strip() if error else 'no reason given')}")
    return lines


def _instant(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"
