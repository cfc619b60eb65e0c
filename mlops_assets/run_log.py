"""What a run writes to its log: one line per step for people and, on request, a JSON object per event for machines."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from mlops_assets.serving.gateway.logs import JsonLines

SHOWN = ("dagster/row_count", "files_written", "version")
ROWS = "rows_"


@dg.success_hook
def step_line(context: dg.HookContext) -> None:
    """Log the step's asset, its seconds and its rows: read, written, quarantined."""
    steps = context.instance.get_run_step_stats(context.run_id, [context.step_key])
    for step in steps:
        fields = dict(_numbers(step.materialization_events))
        seconds = (step.end_time or 0) - (step.start_time or 0)
        numbers = "".join(f", {name} {value}" for name, value in fields.items())
        context.log.info(f"{context.step_key.replace('__', '/')}: {seconds:.1f} s{numbers}")


def _numbers(events: Sequence[dg.EventLogEntry]) -> Iterator[tuple[str, Any]]:
    for event in events:
        materialization = event.asset_materialization
        for name, value in (materialization.metadata if materialization else {}).items():
            if name in SHOWN or name.startswith(ROWS):
                yield name.removeprefix("dagster/"), value.value


class RunJsonLines(JsonLines):
    """A run's events as JSON lines with job, run, step and event; materializations and checks add their metadata.

    The end of a step adds its duration in `seconds`.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        # Dagster's own handler sets this on the records of a run; other records do not have it.
        meta: Mapping[str, Any] = getattr(record, "dagster_meta", {})
        event: dg.DagsterEvent | None = meta.get("dagster_event")
        fields = {"job": meta.get("job_name"), "run": meta.get("run_id"), "step": meta.get("step_key")}
        record.mlops_fields = {**fields, **(_event(event) if event else {})}
        record.msg, record.args = meta.get("orig_message", record.msg), record.args if not meta else ()
        return super().format(record)


def _event(event: dg.DagsterEvent) -> Mapping[str, Any]:
    fields: dict[str, Any] = {"event": event.event_type.name}
    if event.is_step_materialization:
        fields |= {"asset": event.materialization.asset_key.to_user_string(), **_plain(event.materialization.metadata)}
    if event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
        check = event.asset_check_evaluation_data
        fields |= {"asset": check.asset_key.to_user_string(), "check": check.check_name, "passed": check.passed}
        fields |= _plain(check.metadata)
    if event.is_step_success:
        fields["seconds"] = event.step_success_data.duration_ms / 1000
    if event.is_step_failure:
        fields["error"] = event.step_failure_data.error_display_string
    return fields


def _plain(metadata: Mapping[str, dg.MetadataValue[Any]]) -> Mapping[str, Any]:
    """Numbers and short texts; tables and pictures are for the UI."""
    values = {name.removeprefix("dagster/"): value.value for name, value in metadata.items()}
    return {
        name: value
        for name, value in values.items()
        if isinstance(value, (bool, int, float, str)) and len(str(value)) < 500
    }
