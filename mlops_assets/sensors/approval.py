"""The approval sensor: a deployment that waits for a person goes on, once per version, when the person has approved."""

from collections.abc import Iterator, Sequence

import dagster as dg

from mlops_assets.assets.deployment import approved
from mlops_assets.assets.keys import deployment_key
from mlops_assets.assets.promoters import USER
from mlops_assets.config import DeploymentConfig, Project
from mlops_assets.jobs import automation_is_on
from mlops_assets.registry import ModelRegistry, RegistryError

SECONDS = 60


def approval_sensor(project: Project, waiting: Sequence[DeploymentConfig]) -> dg.SensorDefinition:
    """`<project>_approval_sensor`: a run of each deployment in `waiting` whose version has been approved since."""

    @dg.sensor(
        name=f"{project.name}_approval_sensor",
        job_name=f"{project.name}_pipeline",
        minimum_interval_seconds=SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING if automation_is_on(project) else dg.DefaultSensorStatus.STOPPED,
        description="Goes on with a deployment when a person has approved its version in MLflow.",
    )
    def sensor(
        context: dg.SensorEvaluationContext, registry: dg.ResourceParam[ModelRegistry]
    ) -> Iterator[dg.RunRequest | dg.SkipReason]:
        for config in waiting:
            yield _asked(context.instance, project, config, registry)

    return sensor


def _asked(
    instance: dg.DagsterInstance, project: Project, config: DeploymentConfig, registry: ModelRegistry
) -> dg.RunRequest | dg.SkipReason:
    """A run of the deployment, or why there is none."""
    key = deployment_key(project, config.environment)
    try:
        version = approved(registry, config)
        by = registry.require_approval(version, config.environment, config.promoters)
    except RegistryError as error:
        return dg.SkipReason(str(error))
    if deployed_version(instance, key) == version.version:
        return dg.SkipReason(f"Version {version.version} of '{version.name}' is in {config.environment} already.")
    return dg.RunRequest(
        run_key=f"{project.name}:{config.environment}:approved:{version.name}:{version.version}",
        asset_selection=[key],
        tags={USER: by} if by else {},
    )


def deployed_version(instance: dg.DagsterInstance, key: dg.AssetKey) -> str:
    """The version that a deployment asset says it serves; empty where it has not deployed yet."""
    event = instance.get_latest_materialization_event(key)
    done = event.asset_materialization if event else None
    return str(done.metadata["version"].value) if done and "version" in done.metadata else ""
