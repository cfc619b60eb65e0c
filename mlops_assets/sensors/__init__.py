"""A project's sensors: retraining on alarms, runs after other pipelines, approved deployments, mail about runs."""

from collections.abc import Sequence

import dagster as dg

from mlops_assets.assets.keys import deployment_key, model_key, table_key
from mlops_assets.config import Project
from mlops_assets.config.lineage import model_documents
from mlops_assets.sensors.approval import approval_sensor
from mlops_assets.sensors.dependency import dependency_sensor
from mlops_assets.sensors.drift import drift_sensor
from mlops_assets.sensors.notifications import notification_sensor, wanted_kinds


def project_sensors(
    project: Project, jobs: Sequence[str], projects: Sequence[Project] = ()
) -> list[dg.SensorDefinition]:
    """The sensors that the project's documents ask for:

    - `<project>_drift_sensor` if it monitors and trains a model,
    - `<project>_dependency_sensor` if it depends on others of `projects`,
    - `<project>_approval_sensor` if a deployment needs a person's approval,
    - `<project>_notifications` if it names recipients.
    """
    sensors = [*_drift_sensors(project, jobs)]
    upstream = [one for one in projects if one.pipeline.config.name in project.pipeline.config.dependencies]
    if upstream and f"{project.name}_pipeline" in jobs:
        sensors.append(dependency_sensor(project, [f"{one.name}_pipeline" for one in upstream]))
    waiting = [document.config for document in project.deployment if document.config.requires_approval]
    if waiting and f"{project.name}_pipeline" in jobs:
        sensors.append(approval_sensor(project, waiting))
    notification = project.pipeline.config.notification
    if notification and notification.recipients and wanted_kinds(notification):
        sensors.append(notification_sensor(project, notification, jobs))
    return sensors


def _drift_sensors(project: Project, jobs: Sequence[str]) -> list[dg.SensorDefinition]:
    watched = [one for one in model_documents(project) if one.deployments and one.monitoring]
    if not watched or f"{project.name}_retrain" not in jobs:
        return []
    first = watched[0]
    assert first.monitoring is not None
    config = first.monitoring.config
    if not config.retraining.enabled:
        return []
    model = model_key(project, first.training.name)
    others = len(project.training) > 1
    environments = (deployment_key(project, each.config.environment) for each in first.deployments)
    own = [table_key(project, "gold", first.training_set), model, *environments]
    return [drift_sensor(project, config, model, own if others else [])]
