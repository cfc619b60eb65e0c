"""The approval sensor: starts a deployment, once per version, when a person has approved the version."""

from collections.abc import Iterator, Sequence

import dagster as dg

from mlops_assets.assets.deployment import approved_version
from mlops_assets.assets.keys import deployment_key
from mlops_assets.assets.promoters import USER
from mlops_assets.config import DeploymentConfig, Project
from mlops_assets.jobs import automation_is_on
from mlops_assets.registry import ModelRegistry, RegistryError

SECONDS = 60


def approval_sensor(project: Project, waiting: Sequence[DeploymentConfig]) -> dg.SensorDefinition:
    """`<project>_approval_sensor`: a run of each deployment in `waiting` whose version has been approved."""

    @dg.sensor(
        name=f"{project.name}_approval_sensor",
        job_name=f"{project.name}_pipeline",
        minimum_interval_seconds=SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING if automation_is_on(project) else dg.DefaultSensorStatus.STOPPED,
        description="Starts a deployment when a person has approved its version in MLflow.",
    )
    def sensor(
        context: dg.SensorEvaluationContext, registry: dg.ResourceParam[ModelRegistry]
    ) -> Iterator[dg.RunRequest | dg.SkipReason]:
        for config in waiting:
            yield _deployment_request(context.instance, project, config, registry)

    return sensor


def _deployment_request(
    instance: dg.DagsterInstance, project: Project, config: DeploymentConfig, registry: ModelRegistry
) -> dg.RunRequest | dg.SkipReason:
    """The run request of the deployment, or why none is made."""
    key = deployment_key(project, config.environment)
    try:
        version = approved_version(registry, config)
        approver = registry.require_approval(version, config.environment, config.promoters)
    except RegistryError as error:
        return dg.SkipReason(str(error))
    if deployed_version(instance, key) == version.version:
        return dg.SkipReason(f"Version {version.version} of '{version.name}' is in {config.environment} already.")
    return dg.RunRequest(
        run_key=f"{project.name}:{config.environment}:approved:{version.name}:{version.version}",
        asset_selection=[key],
        tags={USER: approver} if approver else {},
    )


def deployed_version(instance: dg.DagsterInstance, key: dg.AssetKey) -> str:
    """The version in the deployment asset's latest materialization; empty if it has none yet."""
    event = instance.get_latest_materialization_event(key)
    materialization = event.asset_materialization if event else None
    return (
        str(materialization.metadata["version"].value)
        if materialization and "version" in materialization.metadata
        else ""
    )
