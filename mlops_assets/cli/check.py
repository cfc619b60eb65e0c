"""`python -m mlops_assets check`: every document of every project, before anything runs."""

from collections.abc import Iterator

from mlops_assets.config import ConfigError, Problem, Project, configs_folder, load_projects
from mlops_assets.config.platforms import check_platforms
from mlops_assets.features.named import check_transformers
from mlops_assets.training.estimators import check_hyperparameters


def check_projects() -> Iterator[str]:
    """One line per project.

    Raises:
        ConfigError: with every problem of every document.
    """
    check_platforms()
    projects = load_projects(configs_folder())
    problems = [problem for project in projects for problem in _problems(project)]
    if problems:
        raise ConfigError(problems)
    for project in projects:
        yield f"{project.name}: {len(project.documents)} documents, all good"


def _problems(project: Project) -> Iterator[Problem]:
    """What scikit-learn says of algorithms, hyperparameters and transformers."""
    for features in project.features:
        for sentence in check_transformers(features.config):
            field, _, message = sentence.partition(": ")
            yield features.problem(field, message)
    for document in project.training:
        for sentence in check_hyperparameters(document.config):
            field, _, message = sentence.partition(": ")
            yield document.problem(field, message)
