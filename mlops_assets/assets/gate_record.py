"""Consecutive refusals by a model's gate, read from Dagster's event log."""

import dagster as dg

from mlops_assets.steps.model import GATE

RECORDS = 50  # evaluations read, newest first


def refusals_in_a_row(instance: dg.DagsterInstance, model: dg.AssetKey) -> int:
    """The number of versions that the gate has refused since it last passed one, among trainings requested by an alarm.

    A training started by a person resets the count, whatever its result; a scheduled one is ignored. A version that is
    judged twice counts once.
    """
    refused: set[str] = set()
    history = instance.event_log_storage.get_asset_check_execution_history(dg.AssetCheckKey(model, GATE), limit=RECORDS)
    for record in history:
        evaluation = record.evaluation
        # A queued or running training has a record of a check that is only planned.
        if not isinstance(evaluation, dg.AssetCheckEvaluation):
            continue
        if evaluation.passed or _started_by_person(instance, record.run_id):
            break
        if _requested_by_alarm(instance, record.run_id):
            refused.add(_version(evaluation))
    return len(refused)


def _tags(instance: dg.DagsterInstance, run_id: str) -> dict[str, str]:
    run = instance.get_run_by_id(run_id)
    return dict(run.tags) if run else {}


def _requested_by_alarm(instance: dg.DagsterInstance, run_id: str) -> bool:
    return "mlops/cause" in _tags(instance, run_id)


def _started_by_person(instance: dg.DagsterInstance, run_id: str) -> bool:
    tags = _tags(instance, run_id)
    return "mlops/cause" not in tags and "dagster/schedule_name" not in tags and "dagster/sensor_name" not in tags


def _version(evaluation: dg.AssetCheckEvaluation) -> str:
    return str(evaluation.metadata["version"].value)
