"""The dependency sensor: a pipeline runs after others, once for every success of each."""

from collections.abc import Sequence

import dagster as dg
from dagster import DagsterEventType

from mlops_assets.assets.keys import tag_value
from mlops_assets.config import Project
from mlops_assets.jobs import automation_is_on
from mlops_assets.sensors.run_changes import Change, newest_position, run_changes

KINDS: Sequence[Change] = (DagsterEventType.RUN_SUCCESS,)


def dependency_sensor(project: Project, upstream: Sequence[str]) -> dg.SensorDefinition:
    """`<project>_dependency_sensor`: a run of `<project>_pipeline` after each success of the `upstream` jobs."""

    @dg.sensor(
        name=f"{project.name}_dependency_sensor",
        job_name=f"{project.name}_pipeline",
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING if automation_is_on(project) else dg.DefaultSensorStatus.STOPPED,
        description=f"Runs the pipeline after each success of {', '.join(upstream)}.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        if context.cursor is None:
            context.update_cursor(str(newest_position(context.instance, KINDS)))
            return dg.SkipReason("Watching from now on; earlier successes start no run.")
        changes = run_changes(context.instance, KINDS, int(context.cursor))
        requests = [
            dg.RunRequest(
                run_key=f"{project.name}:after:{change.run_id}", tags={"mlops/upstream_run": tag_value(change.run_id)}
            )
            for change in changes
            if change.job in upstream
        ]
        cursor = str(changes[-1].position) if changes else context.cursor
        reason = None if requests else f"No new success of {', '.join(upstream)}."
        return dg.SensorResult(run_requests=requests, cursor=cursor, skip_reason=reason)

    return sensor
