"""Refusals of a model's gate in a row, read from Dagster's event log."""

import dagster as dg

from mlops_assets.steps.model import GATE

RECORDS = 50  # evaluations that are looked at, newest first


def refusals_in_a_row(instance: dg.DagsterInstance, model: dg.AssetKey) -> int:
    """Versions that the gate refused since it last let one through, among the trainings that an alarm asked for.

    A person's training ends the row, whatever came of it; a scheduled one does neither. A version that is judged again
    counts once.
    """
    refused: set[str] = set()
    history = instance.event_log_storage.get_asset_check_execution_history(dg.AssetCheckKey(model, GATE), limit=RECORDS)
    for record in history:
        evaluation = record.evaluation
        # A training that waits or is under way has a record of a check that is only planned.
        if not isinstance(evaluation, dg.AssetCheckEvaluation):
            continue
        if evaluation.passed or _by_a_person(instance, record.run_id):
            break
        if _asked_for(instance, record.run_id):
            refused.add(_version(evaluation))
    return len(refused)


def _tags(instance: dg.DagsterInstance, run_id: str) -> dict[str, str]:
    run = instance.get_run_by_id(run_id)
    return dict(run.tags) if run else {}


def _asked_for(instance: dg.DagsterInstance, run_id: str) -> bool:
    return "mlops/cause" in _tags(instance, run_id)


def _by_a_person(instance: dg.DagsterInstance, run_id: str) -> bool:
    tags = _tags(instance, run_id)
    return "mlops/cause" not in tags and "dagster/schedule_name" not in tags and "dagster/sensor_name" not in tags


def _version(evaluation: dg.AssetCheckEvaluation) -> str:
    return str(evaluation.metadata["version"].value)
