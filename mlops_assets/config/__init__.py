"""The YAML documents as strict, frozen models, read whole and checked against each other."""

from mlops_assets.config.data import DataConfig
from mlops_assets.config.deployment import DeploymentConfig
from mlops_assets.config.document import Document, config_hash
from mlops_assets.config.environment import configs_folder, home, platform_name, writable_home
from mlops_assets.config.features import FeatureConfig
from mlops_assets.config.monitoring import MonitoringConfig
from mlops_assets.config.pipeline import PipelineConfig
from mlops_assets.config.platform import PlatformConfig
from mlops_assets.config.platforms import load_platform
from mlops_assets.config.problems import ConfigError, Problem
from mlops_assets.config.project import Project, load_project, load_projects
from mlops_assets.config.tables import TableRef, resolve_table
from mlops_assets.config.training import TrainingConfig

__all__ = [
    "ConfigError",
    "DataConfig",
    "DeploymentConfig",
    "Document",
    "FeatureConfig",
    "MonitoringConfig",
    "PipelineConfig",
    "PlatformConfig",
    "Problem",
    "Project",
    "TableRef",
    "TrainingConfig",
    "config_hash",
    "configs_folder",
    "home",
    "load_platform",
    "load_project",
    "load_projects",
    "platform_name",
    "resolve_table",
    "writable_home",
]
