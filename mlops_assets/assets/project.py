"""All assets of a project, upstream first."""

import dagster as dg

from mlops_assets.assets.data import data_assets
from mlops_assets.assets.features import feature_asset
from mlops_assets.config import Project


def project_assets(project: Project) -> list[dg.AssetsDefinition]:
    """The assets that the project's documents describe."""
    data = [asset for document in project.data for asset in data_assets(project, document)]
    features = [feature_asset(project, document) for document in project.features]
    return [*data, *features]
