"""A project's jobs: the whole pipeline; what a new batch of data needs; what an alarm needs; scoring, where a model
scores by a job of its own.
"""

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
    """The jobs of a project whose assets are `keys`; one that would run nothing is left out."""
    scoring = scored_apart(project, keys)
    together = [key for key in keys if key not in scoring]
    learning = [key for key in together if key.path[1] in MODEL_LAYERS or key.path[-1].endswith(TRAINING_SET)]
    watching = [key for key in together if key.path[1] in DATA_LAYERS and key not in learning]
    described = project.pipeline.config.description
    jobs = {
        "pipeline": (together, f"Everything, from source to monitoring. {described}".strip()),
        SCORE: (scoring, "Scores new rows with the champion and looks at what it said."),
        "monitor": (watching, "Takes in what is new, scores it with the champion and looks for drift."),
        "retrain": (learning, "Trains a challenger, lets it pass the gate and, where it does, promotes it."),
    }
    wanted = (
        {"pipeline", SCORE}
        | ({"monitor"} if project.monitoring else set())
        | ({"retrain"} if project.training else set())
    )
    return [_job(project, name, *jobs[name]) for name in jobs if name in wanted and jobs[name][0]]


def scored_apart(project: Project, keys: Sequence[dg.AssetKey]) -> list[dg.AssetKey]:
    """Those of the keys that are of a job of their own: predictions of a model that has one, and what watches them."""
    apart = [documents for documents in model_documents(project) if has_scoring_job(documents)]
    predictions = [table_key(project, "gold", documents.predictions) for documents in apart]
    watched = any(documents.monitoring for documents in apart)
    return [key for key in keys if key in predictions or (watched and key.path[1] == "monitoring")]


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
    """Tags of every run: the pipeline's own, its environment, project and branch, its time limit, and retries of a run
    whose process died.
    """
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
    """The branch that is deployed: MLOPS_BRANCH, or what Dagster+ or GitHub say; empty where nobody does."""
    return next((value for name in BRANCH_VARIABLES if (value := os.environ.get(name))), "")


def automation_is_on(project: Project) -> bool:
    """Whether schedules and sensors are on from the start: never without a schedule, else as it says, and where it says
    nothing in production only.
    """
    pipeline = project.pipeline.config
    if pipeline.schedule is None:
        return False
    usual = "UNPAUSED" if pipeline.environment == "production" else "PAUSED"
    return (pipeline.schedule.pause_status or usual) == "UNPAUSED"
