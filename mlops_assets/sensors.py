"""The loop's eye: reads what the monitoring checks recorded and asks for a retraining, once a cause.

The work was done in a run; a tick reads two records and decides. A cause is a window of data and the champion that was
judged on it: drift and performance of the same window ask for one run, and the run's key holds for ever.
"""

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

import dagster as dg

from mlops_assets.assets.keys import monitoring_key, tag_value
from mlops_assets.config import MonitoringConfig, Project
from mlops_assets.jobs import runs_by_itself

ALARM = "alarm"  # the check of both monitoring assets
MEMORY = 50  # causes kept in the cursor


@dataclass(frozen=True)
class Alarm:
    """What a failed monitoring check says: the window, the champion it judged, and why, in a sentence."""

    monitor: str
    window: str
    champion: str
    reason: str

    @property
    def cause(self) -> str:
        """What identifies the need for a retraining."""
        return f"{self.window}:v{self.champion}"


@dataclass(frozen=True)
class Cursor:
    """What the sensor remembers: causes it has asked a run for, newest last, and when it last did (ISO 8601)."""

    causes: list[str] = field(default_factory=list)
    last_request: str | None = None

    @classmethod
    def read(cls, text: str | None) -> "Cursor":
        """The cursor, or an empty one where there is none or it is not ours."""
        try:
            stored = json.loads(text or "{}")
            return cls([str(cause) for cause in stored.get("causes", [])], stored.get("last_request"))
        except (ValueError, AttributeError, TypeError):
            return cls()

    def with_request(self, cause: str, now: datetime) -> "Cursor":
        """The cursor after a request."""
        return Cursor([*self.causes, cause][-MEMORY:], now.isoformat())


def project_sensors(project: Project, jobs: list[str]) -> list[dg.SensorDefinition]:
    """`<project>_drift_sensor` where the project monitors and trains."""
    monitors = [document.config for document in project.monitoring if document.config.enabled]
    wanted = monitors and monitors[0].retraining.enabled and f"{project.name}_retrain" in jobs
    return [drift_sensor(project, monitors[0])] if wanted else []


def drift_sensor(project: Project, monitor: MonitoringConfig) -> dg.SensorDefinition:
    """The sensor that turns an alarm into one run of `<project>_retrain`."""

    @dg.sensor(
        name=f"{project.name}_drift_sensor",
        job_name=f"{project.name}_retrain",
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING if runs_by_itself(project) else dg.DefaultSensorStatus.STOPPED,
        description="Asks for a retraining when the monitoring checks record drift or lost performance.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        alarms = [alarm for what in monitor.retraining.on if (alarm := latest_alarm(context.instance, project, what))]
        return decide(project.name, alarms, Cursor.read(context.cursor), monitor, datetime.now(UTC))

    return sensor


def decide(
    project: str, alarms: list[Alarm], cursor: Cursor, monitor: MonitoringConfig, now: datetime
) -> dg.SensorResult | dg.SkipReason:
    """One run request for a cause that is new, or the reason why there is none."""
    if not alarms:
        return dg.SkipReason("The latest monitoring checks raise no alarm.")
    newest = max(alarms, key=lambda alarm: alarm.window)
    if newest.cause in cursor.causes:
        return dg.SkipReason(
            f"A retraining for window {newest.window} of version {newest.champion} was asked for already."
        )
    if cursor.last_request and now - datetime.fromisoformat(cursor.last_request) < monitor.retraining.cooldown:
        return dg.SkipReason(
            f"The last retraining was asked for at {cursor.last_request}, "
            f"and the cool-down is {monitor.retraining.cooldown}."
        )
    reasons = [alarm.reason for alarm in alarms if alarm.cause == newest.cause]
    request = dg.RunRequest(
        run_key=f"{project}:retrain:{newest.cause}",
        tags={
            "mlops/cause": tag_value(newest.cause.replace(":", "_")),
            "mlops/window": tag_value(newest.window),
            "mlops/monitors": tag_value("_".join(alarm.monitor for alarm in alarms if alarm.cause == newest.cause)),
            "mlops/reason": "; ".join(reasons),
        },
    )
    return dg.SensorResult(run_requests=[request], cursor=json.dumps(asdict(cursor.with_request(newest.cause, now))))


def latest_alarm(instance: dg.DagsterInstance, project: Project, what: str) -> Alarm | None:
    """The alarm of the latest record of a monitoring check, if it failed."""
    key = dg.AssetCheckKey(monitoring_key(project, what), ALARM)
    record = instance.get_latest_asset_check_evaluation_record(key)
    evaluation = record.evaluation if record else None
    # The latest record may be of a check that is only planned.
    if not isinstance(evaluation, dg.AssetCheckEvaluation) or evaluation.passed:
        return None
    told = {name: str(value.value) for name, value in evaluation.metadata.items()}
    return Alarm(what, told["window"], told["champion"], told["reason"])
