"""Runs that started or ended, each once and in the order of the event log."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import dagster as dg
from dagster import DagsterEventType

Change = Literal[DagsterEventType.RUN_START, DagsterEventType.RUN_SUCCESS, DagsterEventType.RUN_FAILURE]
AT_ONCE = 50  # changes a tick deals with


@dataclass(frozen=True)
class RunChange:
    """A change of a run's state: `position` is its id in the event log; the job of a deleted run is empty."""

    position: int
    kind: Change
    run_id: str
    job: str
    message: str


def run_changes(instance: dg.DagsterInstance, kinds: Sequence[Change], after: int) -> list[RunChange]:
    """Changes of any run after position `after` in the log, oldest first.

    Other jobs are included: not every storage can filter by job, and the cursor must move past them.
    """
    changes = [
        RunChange(record.storage_id, kind, record.run_id, _job(instance, record.run_id), _log_message(record))
        for kind in kinds
        for record in instance.fetch_run_status_changes(
            dg.RunStatusChangeRecordsFilter(event_type=kind, after_storage_id=after), limit=AT_ONCE, ascending=True
        ).records
    ]
    return sorted(changes, key=lambda change: change.position)[:AT_ONCE]


def _job(instance: dg.DagsterInstance, run_id: str) -> str:
    run = instance.get_run_by_id(run_id)
    return run.job_name if run else ""


def _log_message(record: dg.EventLogRecord) -> str:
    event = record.event_log_entry.dagster_event
    return (event.message if event else None) or record.event_log_entry.user_message


def newest_position(instance: dg.DagsterInstance, kinds: Sequence[Change]) -> int:
    """The position of the log's last change of any run: where a new sensor starts."""
    newest = [instance.fetch_run_status_changes(kind, limit=1).records for kind in kinds]
    return max((record.storage_id for records in newest for record in records), default=0)
