"""A project: a folder of documents, loaded together and cross-checked."""

import logging
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mlops_assets.config.data import DataConfig
from mlops_assets.config.deployment import DeploymentConfig
from mlops_assets.config.document import Document
from mlops_assets.config.features import FeatureConfig
from mlops_assets.config.monitoring import MonitoringConfig
from mlops_assets.config.parsing.documents import read_sources
from mlops_assets.config.parsing.kinds import MODELS, is_overrides, kind_of, yaml_files
from mlops_assets.config.parsing.overrides import Override, read_overrides
from mlops_assets.config.parsing.validation import validate
from mlops_assets.config.parsing.versions import up_to_date
from mlops_assets.config.pipeline import PipelineConfig
from mlops_assets.config.problems import ConfigError, Problem, did_you_mean, shown
from mlops_assets.config.training import TrainingConfig

PROJECT_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
NOT_PROJECTS = frozenset({"platforms", "schema"})
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Project:
    """A project's documents, each kind sorted by file; `warnings` do not prevent loading."""

    name: str
    folder: Path
    pipeline: Document[PipelineConfig]
    data: tuple[Document[DataConfig], ...] = ()
    features: tuple[Document[FeatureConfig], ...] = ()
    training: tuple[Document[TrainingConfig], ...] = ()
    deployment: tuple[Document[DeploymentConfig], ...] = ()
    monitoring: tuple[Document[MonitoringConfig], ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def timezone(self) -> str:
        """The time zone of monitoring windows: the schedule's, else UTC."""
        schedule = self.pipeline.config.schedule
        return schedule.timezone if schedule else "UTC"

    @property
    def documents(self) -> tuple[Document[Any], ...]:
        """All documents, the pipeline's first."""
        return (self.pipeline, *self.data, *self.features, *self.training, *self.deployment, *self.monitoring)


def load_project(folder: Path | str) -> Project:
    """Reads and checks every YAML file below a folder; raises ConfigError with all problems."""
    from mlops_assets.config.crosschecks.effects import ineffective_fields
    from mlops_assets.config.crosschecks.monitors import idle_monitors, uneven_intervals
    from mlops_assets.config.crosschecks.project import document_problems, project_problems

    root = Path(os.path.abspath(folder))
    problems: list[Problem] = []
    warnings: list[str] = []
    documents = _documents(root, problems, warnings)
    for document in (each for kind in documents.values() for each in kind):
        problems += document_problems(document)
    if problems:
        raise ConfigError(problems)
    warnings += [warning for document in documents["deployment"] for warning in ineffective_fields(document)]
    warnings += [warning for document in documents["monitoring"] for warning in uneven_intervals(document)]
    (pipeline,) = documents.pop("pipeline")
    by_kind = {kind: tuple(found) for kind, found in documents.items()}
    project = Project(root.name, root, pipeline, **by_kind, warnings=tuple(warnings))
    if problems := project_problems(project):
        raise ConfigError(problems)
    return replace(project, warnings=(*project.warnings, *idle_monitors(project)))


def _documents(root: Path, problems: list[Problem], warnings: list[str]) -> dict[str, list[Document[Any]]]:
    """The valid documents by kind; problems of the others and of the folder are added to the list."""
    documents: dict[str, list[Document[Any]]] = {kind: [] for kind in MODELS}
    if not root.is_dir():
        problems.append(Problem.of_file(shown(root), "there is no such folder"))
        return documents
    if not PROJECT_NAME.fullmatch(root.name):
        message = f"'{root.name}' is no project name: letters, digits and underscores, a letter first"
        problems.append(Problem.of_file(shown(root), message))
    files = yaml_files(root)
    overrides = [
        override
        for path in files
        if is_overrides(path, root)
        for override in read_overrides(path, os.environ, problems, warnings)
    ]
    seen = dict.fromkeys(MODELS, 0)
    for path in (each for each in files if not is_overrides(each, root)):
        _read(path, root, overrides, documents, seen, problems, warnings)
    problems += [override.unused() for override in overrides if not override.used]
    problems += _one_pipeline(root, seen["pipeline"], documents["pipeline"])
    return documents


def _read(
    path: Path,
    root: Path,
    overrides: list[Override],
    documents: dict[str, list[Document[Any]]],
    seen: dict[str, int],
    problems: list[Problem],
    warnings: list[str],
) -> None:
    of_file = kind_of(path, root)
    if isinstance(of_file, Problem):
        problems.append(of_file)
        return
    before = len(problems)
    sources = read_sources(path, os.environ, problems)
    seen[of_file.kind] += len(sources) or 1
    if not sources and len(problems) == before:
        problems.append(Problem.of_file(shown(path), f"this {of_file.kind} document is empty"))
    for source in sources:
        source = up_to_date(source, problems)
        for override in overrides:
            source = override.applied(source, of_file)
        warnings += [warning for _, warning in source.warnings]
        problems += [problem for _, problem in source.problems]
        noted = len(problems)
        config = validate(MODELS[of_file.kind], source, problems)
        if config is not None and len(problems) == noted:
            documents[of_file.kind].append(Document(config, source.file, of_file.stem, source))


def _one_pipeline(root: Path, seen: int, valid: Iterable[Document[Any]]) -> list[Problem]:
    if seen == 1:
        return []
    if not seen:
        return [Problem.of_file(shown(root), "the project has no pipeline document", "write a pipeline.yaml")]
    message = "a project has one pipeline document"
    return [each.problem((), message, f"this project has {seen}: leave one") for each in valid]


def is_project(folder: Path) -> bool:
    """Whether a folder has a pipeline document."""
    kinds = (kind_of(path, folder) for path in yaml_files(folder) if not is_overrides(path, folder))
    return any(not isinstance(kind, Problem) and kind.kind == "pipeline" for kind in kinds)


def load_projects(configs_folder: Path | str) -> tuple[Project, ...]:
    """Every project below a folder, by name; raises one ConfigError with the problems of all."""
    from mlops_assets.config.crosschecks.project import problems_between

    root = Path(os.path.abspath(configs_folder))
    if not root.is_dir():
        message = "there is no such folder of projects"
        raise ConfigError([Problem.of_file(shown(root), message, "MLOPS_CONFIGS names the folder")])
    problems: list[Problem] = []
    projects: list[Project] = []
    for folder in _project_folders(root):
        try:
            projects.append(load_project(folder))
        except ConfigError as error:
            problems += error.problems
    problems += problems_between(projects)
    if problems:
        raise ConfigError(problems)
    for warning in (*_missing_dependencies(projects), *(each for one in projects for each in one.warnings)):
        logger.warning("%s", warning)
    return tuple(projects)


def _project_folders(root: Path) -> list[Path]:
    if any(root.glob("pipeline.y*ml")) or any(root.glob("*.pipeline.y*ml")):
        return [root]
    folders = [each for each in sorted(root.iterdir()) if each.is_dir() and each.name not in NOT_PROJECTS]
    for folder in folders:
        if yaml_files(folder) and not is_project(folder):
            logger.warning("%s: no project: it has no pipeline document (pipeline.yaml)", shown(folder))
    return [folder for folder in folders if is_project(folder)]


def _missing_dependencies(projects: list[Project]) -> list[str]:
    names = {project.pipeline.config.name: project for project in projects}
    return [
        "; ".join(part for part in (text, did_you_mean(name, names)) if part)
        for project in projects
        for index, name in enumerate(project.pipeline.config.dependencies)
        if name not in names
        for line, column in [project.pipeline.line_of(("dependencies", index))]
        for text in [f"{project.pipeline.file}:{line}:{column}: pipeline '{name}' is not loaded"]
    ]
