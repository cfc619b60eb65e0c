"""Registers the tables that a step has written in Unity Catalog."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from mlops_assets.config import Project
from mlops_assets.config.lineage import model_documents
from mlops_assets.lake import delta
from mlops_assets.lake.locations import Warehouse
from mlops_assets.monitoring.error_stream import errors_of
from mlops_assets.monitoring.track import revisions_of
from mlops_assets.steps.monitoring_tables import performance_name, watches_quality
from mlops_assets.steps.result import StepResult
from mlops_assets.unity_tables import UnityTable, register, table_name

SILVER = "What the rules of its document let through."
QUARANTINE = "Rows that broke error rules, as they arrived."
MONITORED = {
    "drift": {
        "drift": "One verdict per window, champion and feature.",
        "references": "What each champion learned from, as profiles.",
        "profiles": "New rows by window and champion, as profiles that add up.",
    },
    "quality": {"quality": "One finding of data quality per champion, window and check."},
    "alerts": {"alerts": "An alarm or its end, and what came of it in a channel."},
}


@dataclass(frozen=True)
class Written:
    """A table by its name in the layer, with what a document says of it."""

    table: str
    comment: str
    documented: str = ""
    tags: dict[str, str] = field(default_factory=dict)


def with_catalog_name(project: Project, step: Sequence[str], result: StepResult, lake: Warehouse) -> StepResult:
    """Register the tables of a step (an asset's key without its project) in Unity Catalog, if the platform has one.

    Returns the step's result with the catalog's name of its table.

    Raises:
        UnityError: the catalog refused.
    """
    if lake.catalog is None or result.blocked:
        return result
    tables = lake.catalog.tables
    written = written_tables(project, step, lake, tables.schema_in(project.pipeline.config.environment))
    register(written, tables, lake.catalog.execute)
    catalog_name = {"dagster/table_name": written[0].name} if written else {}
    return replace(result, metadata={**result.metadata, **catalog_name})


def written_tables(project: Project, step: Sequence[str], lake: Warehouse, schema: str) -> list[UnityTable]:
    """The existing tables of a step (`silver/flights`), the asset's own first."""
    layer, pipeline = step[0], project.pipeline.config
    facts = {"project": project.name, "layer": layer, "environment": pipeline.environment}
    return [
        UnityTable(
            table_name(schema, project, layer, each.table, each.documented),
            path,
            each.comment,
            {**pipeline.tags, **each.tags, **facts},
        )
        for each in _step_tables(project, *step)
        if delta.exists(path := lake.table(project.name, layer, each.table))
    ]


def dashboard_tables(project: Project, schema: str, lake: Warehouse | None = None) -> dict[str, str]:
    """The monitor's tables that a dashboard shows, by subject, with their names in Unity Catalog.

    With a `lake`, only existing tables; else all that the documents ask for. Without a `schema` names are unqualified.
    """
    tables = {name: next(_monitoring_tables(project, name)) for name in _dashboard_table_names(project)}
    return {
        name: table_name(schema, project, "monitoring", each.table, each.documented).lstrip(".")
        for name, each in tables.items()
        if lake is None or delta.exists(lake.table(project.name, "monitoring", each.table))
    }


def _dashboard_table_names(project: Project) -> list[str]:
    watched = [each.monitoring.config for each in model_documents(project) if each.monitoring]
    quality = ["quality"] if any(map(watches_quality, watched)) else []
    return ["drift", "performance", *quality, "alerts"] if watched else []


def _step_tables(project: Project, layer: str, name: str) -> Iterator[Written]:
    if layer == "gold":
        yield from _gold_tables(project, name)
    if layer == "monitoring":
        yield from _monitoring_tables(project, name)
    for data in [each for each in project.data if each.name == name]:
        if layer == "bronze":
            yield Written(name, data.config.description or "The source as it arrived.")
        if layer == "silver":
            yield Written(name, data.config.description or SILVER, data.config.destination_path)
            yield Written(f"{name}_quarantine", QUARANTINE)


def _gold_tables(project: Project, name: str) -> Iterator[Written]:
    """A feature table by the name that its document gives it, or a model's training set or predictions."""
    for features in [each.config for each in project.features if each.name == name]:
        description = features.description or f"Features from {features.source_table}."
        yield Written(name, description, features.feature_table_name, features.tags)
    for model in model_documents(project):
        if name == model.training_set:
            yield Written(name, f"What {model.model} learns from.")
        if name == model.predictions:
            yield Written(name, f"New rows, each scored once by the champion of {model.model} of that moment.")


def _monitoring_tables(project: Project, name: str) -> Iterator[Written]:
    yield from (Written(table, comment) for table, comment in MONITORED.get(name, {}).items())
    for config in [each.monitoring.config for each in model_documents(project) if each.monitoring]:
        if name == "performance":
            tracking, table = config.model_performance_tracking, performance_name(config)
            documented = (tracking.metrics_table if tracking else None) or ""
            yield Written(table, "One value per window, version and metric, as labels arrive.", documented)
            yield Written(errors_of(table), "The champion's errors in the order of time.")
            yield Written(revisions_of(table), "Every measurement of a metric, with when it was known.")
