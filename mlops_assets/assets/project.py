"""All assets of a project, upstream first."""

import dagster as dg

from mlops_assets.assets.dashboard import dashboard_asset
from mlops_assets.assets.data import data_assets
from mlops_assets.assets.deployment import deployment_assets
from mlops_assets.assets.features import feature_asset
from mlops_assets.assets.model import model_asset, training_set_asset
from mlops_assets.assets.monitoring import monitoring_assets
from mlops_assets.assets.predictions import predictions_asset
from mlops_assets.config import Project
from mlops_assets.config.lineage import ModelDocuments, model_documents


def project_assets(project: Project) -> list[dg.AssetsDefinition]:
    """All assets of the project's documents."""
    data = [asset for document in project.data for asset in data_assets(project, document)]
    features = [feature_asset(project, document) for document in project.features]
    models = [asset for documents in model_documents(project) for asset in _model_assets(project, documents)]
    return [*data, *features, *models, *deployment_assets(project)]


def _model_assets(project: Project, documents: ModelDocuments) -> list[dg.AssetsDefinition]:
    """A model's assets: training set and model; if it is deployed, predictions; if it is monitored, the monitors."""
    learned = [training_set_asset(project, documents), model_asset(project, documents)]
    if not documents.deployments:
        return learned
    scored = [*learned, predictions_asset(project, documents)]
    if documents.monitoring is None:
        return scored
    return [*scored, *monitoring_assets(project, documents), dashboard_asset(project, documents)]
