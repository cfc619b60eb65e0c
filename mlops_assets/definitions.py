"""The module that Dagster loads: every project below MLOPS_CONFIGS, on the platform that MLOPS_PLATFORM names."""

from mlops_assets.assemble import build_definitions
from mlops_assets.config import configs_folder, load_projects
from mlops_assets.resources.platforms import resources_for

__all__ = ["build_definitions", "defs"]

defs = build_definitions(load_projects(configs_folder()), resources_for())
