"""The drift sensor: asks for a retraining, once per cause, when the monitoring checks have recorded an alarm.

The work was done in a run; a tick reads two records and decides. A cause is a window of data and the champion that was
judged on it: drift and performance of the same window ask for one run, and the run's key holds for ever. Three brakes
hold a new cause back: the cool-down, the budget of a period, and retrainings that did not help.
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
    """What a failed monitoring check says: the window, the champion it judged, why, in a sentence, and the window it
    began with.
    """

    monitor: str
    window: str
    champion: str
    reason: str
    since: str = ""

    @property
    def cause(self) -> str:
        """What identifies the need for a retraining."""
        return f"{self.window}:v{self.champion}"


@dataclass(frozen=True)
class Cursor:
    """What the sensor remembers: causes it has asked a run for and when (ISO 8601), newest last."""

    causes: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, text: str | None) -> "Cursor":
        """The cursor, or an empty one where there is none or it is not ours."""
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
        """How many runs it has asked for since."""
        return sum(datetime.fromisoformat(time) > moment for time in self.requests)


def drift_sensor(
    project: Project, monitor: MonitoringConfig, model: dg.AssetKey, only: Sequence[dg.AssetKey] = ()
) -> dg.SensorDefinition:
    """The sensor that turns an alarm into one run of `<project>_retrain`, which trains `model`; of the job's assets
    `only` some, where it trains other models too.
    """

    @dg.sensor(
        name=f"{project.name}_drift_sensor",
        job_name=f"{project.name}_retrain",
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING if automation_is_on(project) else dg.DefaultSensorStatus.STOPPED,
        description="Asks for a retraining when the monitoring checks record drift or lost performance.",
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
    """One run request for a cause that is new, of `only` these assets where there are any, or the reason why there is
    none; `refused` retrainings in a row did not help.
    """
    if not alarms:
        return dg.SkipReason("The latest monitoring checks raise no alarm.")
    newest = max(alarms, key=lambda alarm: alarm.window)
    if newest.cause in cursor.causes:
        return dg.SkipReason(
            f"A retraining for window {newest.window} of version {newest.champion} was asked for already."
        )
    held = braked(cursor, monitor.retraining, now, refused)
    if held:
        return dg.SkipReason(held)
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


def braked(cursor: Cursor, retraining: RetrainingConfig, now: datetime, refused: int) -> str:
    """Why no retraining may be asked for now, in a sentence; empty where one may."""
    if 0 < retraining.stop_after_refusals <= refused:
        return (
            f"The gate has refused {refused} retrainings in a row: retraining does not help. "
            "The sensor asks again when a version has passed the gate or a person has trained."
        )
    if cursor.requested_since(now - retraining.cooldown):
        return (
            f"The last retraining was asked for at {cursor.requests[-1]}, and the cool-down is {retraining.cooldown}."
        )
    used = cursor.requested_since(now - retraining.period)
    if 0 < retraining.max_per_period <= used:
        return f"{used} retrainings were asked for within {retraining.period}, and max_per_period allows no more."
    return ""


def latest_alarm(instance: dg.DagsterInstance, project: Project, what: str) -> Alarm | None:
    """The alarm of the latest evaluation of a monitoring check, if it failed."""
    key = dg.AssetCheckKey(monitoring_key(project, what), ALARM)
    history = instance.event_log_storage.get_asset_check_execution_history(key, limit=MEMORY)
    # A run that waits or is under way has a record of a check that is only planned: monitors that queue would hide
    # every alarm.
    evaluations = (record.evaluation for record in history)
    evaluation = next((each for each in evaluations if isinstance(each, dg.AssetCheckEvaluation)), None)
    if evaluation is None or evaluation.passed:
        return None
    metadata = {name: str(value.value) for name, value in evaluation.metadata.items()}
    return Alarm(what, metadata["window"], metadata["champion"], metadata["reason"], metadata.get("since", ""))
