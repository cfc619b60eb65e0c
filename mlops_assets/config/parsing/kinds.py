"""Which kind of document a file holds, by its folder or its name."""

from dataclasses import dataclass
from pathlib import Path

from mlops_assets.config.base import StrictModel
from mlops_assets.config.data import DataConfig
from mlops_assets.config.deployment import DeploymentConfig
from mlops_assets.config.features import FeatureConfig
from mlops_assets.config.monitoring import MonitoringConfig
from mlops_assets.config.pipeline import PipelineConfig
from mlops_assets.config.platform import PlatformConfig
from mlops_assets.config.problems import Problem, did_you_mean, shown
from mlops_assets.config.training import TrainingConfig

MODELS: dict[str, type[StrictModel]] = {
    "data": DataConfig,
    "features": FeatureConfig,
    "training": TrainingConfig,
    "deployment": DeploymentConfig,
    "monitoring": MonitoringConfig,
    "pipeline": PipelineConfig,
}
ALL_MODELS: dict[str, type[StrictModel]] = {**MODELS, "platform": PlatformConfig}
OF_DAGSTER = ("defs.yaml", "defs.yml")  # where the folder is a Dagster component too
LEGAL_NAMES = "data.yaml, flights.data.yaml or data/flights.yaml, and so for " + ", ".join(list(MODELS)[1:])


@dataclass(frozen=True)
class KindOfFile:
    """The kind of a file's documents, and its stem: the name without kind and extension."""

    kind: str
    stem: str


def yaml_files(folder: Path) -> list[Path]:
    """The YAML files of a folder and the folders in it, sorted; hidden ones and Dagster's own are left
    out."""
    found = (path for path in folder.rglob("*") if path.suffix.lower() in (".yaml", ".yml") and path.is_file())
    found = (path for path in found if path.name not in OF_DAGSTER)
    return sorted(path for path in found if not any(part[0] == "." for part in path.relative_to(folder).parts))


def is_overrides(path: Path, folder: Path) -> bool:
    """Whether it is the project's overrides.yaml."""
    return path.parent == folder and path.stem == "overrides"


def kind_of(path: Path, folder: Path) -> KindOfFile | Problem:
    """The kind of a file, that of its folder (`data/flights.yaml`) or its name (`flights.data.yaml`)."""
    parts = path.relative_to(folder).parts
    stem = path.stem
    if len(parts) > 1 and parts[0] in MODELS:
        return KindOfFile(parts[0], stem.removesuffix(f".{parts[0]}"))
    name = stem.rsplit(".", 1)[-1]
    if name in MODELS:
        return KindOfFile(name, stem.removesuffix(f".{name}"))
    near = did_you_mean(name, MODELS) or (did_you_mean(parts[0], MODELS) if len(parts) > 1 else "")
    hint = f"{near + ' ' if near else ''}The names are {LEGAL_NAMES}"
    return Problem.of_file(shown(path), "which kind of document is this?", hint)
