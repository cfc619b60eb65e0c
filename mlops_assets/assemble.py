"""Projects as Dagster definitions: their assets, checks, jobs, schedules and sensors."""

from collections.abc import Mapping, Sequence

import dagster as dg

from mlops_assets.assets.maintenance import maintenance_job
from mlops_assets.assets.project import project_assets
from mlops_assets.assets.remote_steps import RESOURCE, with_remote_step
from mlops_assets.assets.replay import replay_job
from mlops_assets.config import Project
from mlops_assets.jobs import project_jobs, run_tags
from mlops_assets.resources.remote_steps import RemoteSteps
from mlops_assets.schedules import project_schedules
from mlops_assets.sensors import project_sensors


def build_definitions(projects: Sequence[Project], resources: Mapping[str, object]) -> dg.Definitions:
    """The complete definitions of `projects`, with `resources` (tests pass their own)."""
    remote = resources.get(RESOURCE)
    layers = remote.layers if isinstance(remote, RemoteSteps) else ()
    return dg.Definitions.merge(
        project_definitions(projects, layers),
        # Starting a process for each step would cost more than most steps do.
        dg.Definitions(resources=resources, executor=dg.in_process_executor),
    )


def project_definitions(projects: Sequence[Project], remote_layers: Sequence[str] = ()) -> dg.Definitions:
    """The definitions of `projects` without resources and executor.

    Steps of `remote_layers` run in the Databricks workspace, through the resource `remote_steps`.
    """
    return dg.Definitions.merge(*(_definitions_of(project, projects, remote_layers) for project in projects))


def _definitions_of(project: Project, projects: Sequence[Project], remote_layers: Sequence[str]) -> dg.Definitions:
    assets = [with_remote_step(project, asset, remote_layers) for asset in project_assets(project)]
    keys = [key for asset in assets for key in asset.keys]
    jobs, tags = project_jobs(project, keys), run_tags(project)
    names = [job.name for job in jobs]
    return dg.Definitions(
        assets=assets,
        jobs=[*jobs, *(job for job in (replay_job(project, tags), maintenance_job(project, tags)) if job)],
        schedules=project_schedules(project, names),
        sensors=project_sensors(project, names, projects),
    )
