"""A project's jobs: the whole pipeline, monitoring of new data, retraining after an alarm, and separate scoring."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import dagster as dg

from mlops_assets.assets.keys import table_key, tag_value
from mlops_assets.config import Project
from mlops_assets.config.lineage import has_scoring_job, model_documents
from mlops_assets.run_log import step_line

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

DATA_LAYERS = ("source", "bronze", "silver", "gold", "monitoring")
MODEL_LAYERS = ("model", "deployment")
PROJECT_TAG = "mlops/project"  # deploy/dagster.yaml lets one run of a project write at a time
BRANCH_VARIABLES = ("MLOPS_BRANCH", "DAGSTER_CLOUD_GIT_BRANCH", "GITHUB_HEAD_REF", "GITHUB_REF_NAME")
TRAINING_SET = "training_set"
SCORE = "score"


def project_jobs(project: Project, keys: Sequence[dg.AssetKey]) -> "list[UnresolvedAssetJobDefinition]":
    """The jobs of a project whose assets are `keys`; a job without assets is left out."""
    scoring = scoring_job_keys(project, keys)
    others = [key for key in keys if key not in scoring]
    retrained = [key for key in others if key.path[1] in MODEL_LAYERS or key.path[-1].endswith(TRAINING_SET)]
    monitored = [key for key in others if key.path[1] in DATA_LAYERS and key not in retrained]
    description = project.pipeline.config.description
    jobs = {
        "pipeline": (others, f"Everything, from source to monitoring. {description}".strip()),
        SCORE: (scoring, "Scores new rows with the champion and monitors its predictions."),
        "monitor": (monitored, "Ingests new data, scores it with the champion and checks for drift."),
        "retrain": (retrained, "Trains a challenger and, if it passes the gate, promotes it."),
    }
    enabled = (
        {"pipeline", SCORE}
        | ({"monitor"} if project.monitoring else set())
        | ({"retrain"} if project.training else set())
    )
    return [_job(project, name, *jobs[name]) for name in jobs if name in enabled and jobs[name][0]]


def scoring_job_keys(project: Project, keys: Sequence[dg.AssetKey]) -> list[dg.AssetKey]:
    """The keys that run in the scoring job instead of the pipeline: predictions, and the monitoring of them."""
    scored = [documents for documents in model_documents(project) if has_scoring_job(documents)]
    predictions = [table_key(project, "gold", documents.predictions) for documents in scored]
    monitored = any(documents.monitoring for documents in scored)
    return [key for key in keys if key in predictions or (monitored and key.path[1] == "monitoring")]


def _job(project: Project, name: str, keys: list[dg.AssetKey], description: str) -> "UnresolvedAssetJobDefinition":
    return dg.define_asset_job(
        f"{project.name}_{name}",
        selection=dg.AssetSelection.assets(*keys),
        description=description,
        tags=run_tags(project),
        # Starting a process for each step would cost more than most steps do.
        executor_def=dg.in_process_executor,
        hooks={step_line},
    )


def run_tags(project: Project) -> dict[str, str]:
    """Tags of every run: the pipeline's tags, environment, project, branch, time limit and retries after a crash."""
    pipeline, branch = project.pipeline.config, _branch()
    return {
        **{tag_value(name): tag_value(value) for name, value in pipeline.tags.items()},
        "environment": pipeline.environment,
        PROJECT_TAG: project.name,
        **({"branch": tag_value(branch)} if branch else {}),
        "dagster/max_runtime": str(pipeline.timeout_minutes * 60),
        "dagster/max_retries": str(pipeline.retry_attempts),
        # A step that fails is retried by its own policy; the run is only run again when its process is lost.
        "dagster/retry_on_asset_or_op_failure": "false",
    }


def _branch() -> str:
    """The deployed branch, from MLOPS_BRANCH, Dagster+ or GitHub; empty if none of them is set."""
    return next((value for name in BRANCH_VARIABLES if (value := os.environ.get(name))), "")


def automation_is_on(project: Project) -> bool:
    """Whether schedules and sensors start switched on: as the schedule's `pause_status` says, else in production only.

    Without a schedule nothing starts by itself.
    """
    pipeline = project.pipeline.config
    if pipeline.schedule is None:
        return False
    default = "UNPAUSED" if pipeline.environment == "production" else "PAUSED"
    return (pipeline.schedule.pause_status or default) == "UNPAUSED"
