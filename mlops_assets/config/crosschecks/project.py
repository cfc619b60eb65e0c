"""Cross-checks of a project's documents: all checks in order, and the names that must not be given twice."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

from mlops_assets.config.crosschecks.conditions import condition_problems
from mlops_assets.config.crosschecks.feature_columns import feature_problems
from mlops_assets.config.crosschecks.learned_columns import column_problems
from mlops_assets.config.crosschecks.metric_problems import metric_problems
from mlops_assets.config.crosschecks.monitors import monitor_problems
from mlops_assets.config.crosschecks.references import (
    circular_tables,
    training_problems,
    unknown_models,
    unknown_schemes,
    unknown_tables,
    unknown_transformed,
)
from mlops_assets.config.crosschecks.rule_types import type_problems
from mlops_assets.config.data import DataConfig
from mlops_assets.config.deployment import DeploymentConfig
from mlops_assets.config.document import Document
from mlops_assets.config.features import FeatureConfig
from mlops_assets.config.monitoring import MonitoringConfig
from mlops_assets.config.parsing.source import Path
from mlops_assets.config.problems import Problem, did_you_mean
from mlops_assets.config.project import Project
from mlops_assets.config.tables import tables_of
from mlops_assets.config.training import TrainingConfig

NamedDocument = tuple[str, Document[Any], Path]


def document_problems(document: Document[Any]) -> list[Problem]:
    """What is wrong inside one document: its conditions, its names, its thresholds."""
    problems = list(condition_problems(document))
    match document.config:
        case DataConfig():
            rules = document.config.validation_rules
            names = [(rule.name, document, ("validation_rules", n, "name")) for n, rule in enumerate(rules)]
            problems += duplicate_names("rule", names)
        case FeatureConfig():
            problems += unknown_transformed(document)
        case TrainingConfig():
            problems += metric_problems(document)
        case MonitoringConfig():
            problems += _thresholds_without_metric(document)
        case DeploymentConfig():
            tests = document.config.tests
            problems += duplicate_names(
                "test", [(test.type, document, ("tests", n, "type")) for n, test in enumerate(tests)]
            )
    return problems


def project_problems(project: Project) -> list[Problem]:
    """What is wrong between a project's documents."""
    checks: tuple[Iterable[Problem], ...] = (
        *(duplicate_names(what, named) for what, named in _names(project)),
        unknown_tables(project),
        unknown_schemes(project),
        circular_tables(project),
        unknown_models(project),
        training_problems(project),
        column_problems(project),
        feature_problems(project),
        monitor_problems(project),
        type_problems(project),
    )
    return [problem for check in checks for problem in check]


def problems_between(projects: Sequence[Project]) -> list[Problem]:
    """What is wrong between projects: an endpoint, model or pipeline name in two of them, circular dependencies."""
    return [
        *duplicate_names("endpoint", [named for project in projects for named in _endpoints(project)]),
        *duplicate_names("registered model", [named for project in projects for named in _models(project)]),
        *duplicate_names("pipeline", [(each.pipeline.config.name, each.pipeline, ("name",)) for each in projects]),
        *_circular_pipelines(projects),
    ]


def duplicate_names(what: str, named: Iterable[NamedDocument]) -> Iterator[Problem]:
    """A problem for each name that was given before, with the place of the first."""
    places: dict[str, list[tuple[Document[Any], Path]]] = defaultdict(list)
    for name, document, path in named:
        places[name].append((document, path))
    for name, (first, *others) in places.items():
        line, _ = first[0].line_of(first[1])
        for document, path in others:
            yield document.problem(path, f"{what} '{name}' is there twice", f"the first is {first[0].file}:{line}")


def _names(project: Project) -> Iterator[tuple[str, list[NamedDocument]]]:
    fields = {"data": "destination_path", "features": "feature_table_name"}
    tables: list[NamedDocument] = []
    for table, document in tables_of(project):
        kind = next((kind for kind in fields if document in getattr(project, kind)), None)
        if table.layer != "bronze":
            tables.append((str(table), document, (fields[kind],) if kind else ()))
    yield "table", tables
    yield "registered model", _models(project)
    yield "endpoint", _endpoints(project)
    yield "deployment", [(each.name, each, ("environment",)) for each in project.deployment]


def _models(project: Project) -> list[NamedDocument]:
    return [(each.name, each, ("registry_model_name",)) for each in project.training]


def _endpoints(project: Project) -> list[NamedDocument]:
    served = [each for each in project.deployment if each.config.deployment_type == "serving_endpoint"]
    return [(each.config.endpoint_name, each, ("endpoint_name",)) for each in served]


def _thresholds_without_metric(document: Document[MonitoringConfig]) -> Iterator[Problem]:
    metrics = document.config.metrics
    for name in document.config.alert_thresholds:
        if name not in metrics:
            estimate = name.startswith("estimated_")
            problem = "is an estimate, which is shown and raises no alarm" if estimate else "is not among the metrics"
            hint = "give the metric itself a threshold" if estimate else did_you_mean(name, metrics)
            yield document.problem(("alert_thresholds", name), f"'{name}' {problem}", hint or "add it to metrics")


def _circular_pipelines(projects: Sequence[Project]) -> Iterator[Problem]:
    by_name = {project.pipeline.config.name: project.pipeline for project in projects}
    edges = {
        name: [each for each in document.config.dependencies if each in by_name] for name, document in by_name.items()
    }
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        ring = list(reversed(error.args[1]))
        chain = " waits for ".join(f"'{name}'" for name in ring)
        yield by_name[ring[0]].problem("dependencies", f"pipelines wait for each other: {chain}")
