"""The drift sensor: requests a retraining, once per cause, when the monitoring checks have recorded an alarm.

Monitoring itself is a run; a tick only reads its two check results and decides. A cause is a window of data and the
champion that was judged on it: drift and performance of the same window request one run. Three limits can hold a new
cause back: the cool-down, the maximum of retrainings per period, and consecutive refusals by the gate.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

import dagster as dg

from mlops_assets.assets.gate_record import refusals_in_a_row
from mlops_assets.assets.keys import monitoring_key, tag_value
from mlops_assets.config import MonitoringConfig, Project
from mlops_assets.config.monitoring import RetrainingConfig
from mlops_assets.jobs import automation_is_on
from mlops_assets.steps.monitoring import ALARM

MEMORY = 50  # causes kept in the cursor


@dataclass(frozen=True)
class Alarm:
    """A failed monitoring check: its window, the champion it judged, the reason, and the window the alarm began in."""

    monitor: str
    window: str
    champion: str
    reason: str
    since: str = ""

    @property
    def cause(self) -> str:
        """The key of a retraining: one is requested for each cause."""
        return f"{self.window}:v{self.champion}"


@dataclass(frozen=True)
class Cursor:
    """The sensor's state: the causes it has requested a run for and when (ISO 8601), newest last."""

    causes: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, text: str | None) -> "Cursor":
        """The cursor from its JSON text; an empty one if there is none or it cannot be read."""
        try:
            stored = json.loads(text or "{}")
            times = [datetime.fromisoformat(time).isoformat() for time in stored.get("requests", [])]
            return cls([str(cause) for cause in stored.get("causes", [])], times)
        except (ValueError, AttributeError, TypeError):
            return cls()

    def with_request(self, cause: str, now: datetime) -> "Cursor":
        """The cursor after a request."""
        return Cursor([*self.causes, cause][-MEMORY:], [*self.requests, now.isoformat()][-MEMORY:])

    def requested_since(self, moment: datetime) -> int:
        """The number of runs requested after a moment."""
        return sum(datetime.fromisoformat(time) > moment for time in self.requests)


def drift_sensor(
    project: Project, monitor: MonitoringConfig, model: dg.AssetKey, only: Sequence[dg.AssetKey] = ()
) -> dg.SensorDefinition:
    """The sensor that turns an alarm into one run of `<project>_retrain`, which trains `model`.

    `only` selects the model's assets if the job trains other models too.
    """

    @dg.sensor(
        name=f"{project.name}_drift_sensor",
        job_name=f"{project.name}_retrain",
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING if automation_is_on(project) else dg.DefaultSensorStatus.STOPPED,
        description="Requests a retraining when the monitoring checks record drift or lost performance.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        alarms = [alarm for what in monitor.retraining.on if (alarm := latest_alarm(context.instance, project, what))]
        stop_after = monitor.retraining.stop_after_refusals
        refused = refusals_in_a_row(context.instance, model) if alarms and stop_after else 0
        cursor, now = Cursor.read(context.cursor), datetime.now(UTC)
        return decide(project.name, alarms, cursor, monitor, now, refused=refused, only=only)

    return sensor


def decide(
    project: str,
    alarms: list[Alarm],
    cursor: Cursor,
    monitor: MonitoringConfig,
    now: datetime,
    *,
    refused: int = 0,
    only: Sequence[dg.AssetKey] = (),
) -> dg.SensorResult | dg.SkipReason:
    """A run request for a new cause, or the reason for none.

    `only` are the assets to run (empty: all of the job); `refused` is the number of consecutive refusals by the gate.
    """
    if not alarms:
        return dg.SkipReason("The latest monitoring checks raise no alarm.")
    newest = max(alarms, key=lambda alarm: alarm.window)
    if newest.cause in cursor.causes:
        return dg.SkipReason(
            f"A retraining for window {newest.window} of version {newest.champion} has been requested already."
        )
    reason = hold_reason(cursor, monitor.retraining, now, refused)
    if reason:
        return dg.SkipReason(reason)
    same = [alarm for alarm in alarms if alarm.cause == newest.cause]
    request = dg.RunRequest(
        run_key=f"{project}:retrain:{newest.cause}",
        asset_selection=list(only) or None,
        tags={
            "mlops/cause": tag_value(newest.cause.replace(":", "_")),
            "mlops/window": tag_value(newest.window),
            "mlops/since": tag_value(min(alarm.since or alarm.window for alarm in same)),
            "mlops/monitors": tag_value("_".join(alarm.monitor for alarm in same)),
            "mlops/reason": "; ".join(alarm.reason for alarm in same),
        },
    )
    return dg.SensorResult(run_requests=[request], cursor=json.dumps(asdict(cursor.with_request(newest.cause, now))))


def hold_reason(cursor: Cursor, retraining: RetrainingConfig, now: datetime, refused: int) -> str:
    """Why no retraining may be requested now, in a sentence; empty if one may."""
    if 0 < retraining.stop_after_refusals <= refused:
        return (
            f"The gate has refused {refused} retrainings in a row: retraining does not help. "
            "The sensor resumes when a version has passed the gate or a person has trained."
        )
    if cursor.requested_since(now - retraining.cooldown):
        return (
            f"The last retraining was requested at {cursor.requests[-1]}, and the cool-down is {retraining.cooldown}."
        )
    used = cursor.requested_since(now - retraining.period)
    if 0 < retraining.max_per_period <= used:
        return f"{used} retrainings were requested within {retraining.period}, the most that max_per_period allows."
    return ""


def latest_alarm(instance: dg.DagsterInstance, project: Project, what: str) -> Alarm | None:
    """The alarm of the latest evaluation of a monitoring check, if it failed."""
    key = dg.AssetCheckKey(monitoring_key(project, what), ALARM)
    history = instance.event_log_storage.get_asset_check_execution_history(key, limit=MEMORY)
    # A queued or running run has a record of a check that is only planned; it must not hide the last evaluation.
    evaluations = (record.evaluation for record in history)
    evaluation = next((each for each in evaluations if isinstance(each, dg.AssetCheckEvaluation)), None)
    if evaluation is None or evaluation.passed:
        return None
    metadata = {name: str(value.value) for name, value in evaluation.metadata.items()}
    return Alarm(what, metadata["window"], metadata["champion"], metadata["reason"], metadata.get("since", ""))
