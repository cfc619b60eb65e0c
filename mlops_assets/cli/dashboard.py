"""A project's monitoring dashboard as a file of Databricks."""

import json

from mlops_assets.config import configs_folder, load_project
from mlops_assets.config.lineage import model_documents
from mlops_assets.monitoring.lakeview import definition
from mlops_assets.steps.unity import dashboard_tables


def dashboard_file(project: str) -> str:
    """What a `.lvdash.json` holds; its tables are named within the schema that a bundle gives it.

    Raises:
        ConfigError: the documents of the project are wrong.
    """
    found = load_project(configs_folder() / project)
    titles = [each.monitoring.config.dashboard_name or each.model for each in model_documents(found) if each.monitoring]
    return json.dumps(definition(next(iter(titles), project), dashboard_tables(found, "")), indent=2) + "\n"
