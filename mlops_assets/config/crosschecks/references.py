"""References between a project's documents: tables, models, columns and metrics."""

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from typing import Any

from mlops_assets.config.crosschecks.conditions import foreign_tables
from mlops_assets.config.data import DataConfig
from mlops_assets.config.document import Document, FieldPath
from mlops_assets.config.feature_transforms import OneHotEncode, Scaling
from mlops_assets.config.features import FeatureConfig
from mlops_assets.config.locations import unknown_scheme
from mlops_assets.config.problems import Problem, did_you_mean
from mlops_assets.config.project import Project
from mlops_assets.config.tables import (
    TableRef,
    known_names,
    looks_external,
    misspelt,
    resolve_table,
    writer_of,
)


def table_references(project: Project) -> Iterator[tuple[Document[Any], FieldPath, str]]:
    """Document, field and text of every reference to a table that has to exist."""
    for data in project.data:
        for path, table in foreign_tables(data):
            yield data, path, table
    for features in project.features:
        yield features, "source_table", features.config.source_table
        for index, join in enumerate(features.config.joins):
            yield features, ("joins", index, "table"), join.table
    for monitoring in project.monitoring:
        drift = monitoring.config.data_drift_detection
        if drift and drift.reference_dataset:
            yield monitoring, "data_drift_detection.reference_dataset", drift.reference_dataset


def unknown_tables(project: Project) -> Iterator[Problem]:
    """References to tables that no document writes and that are no path outside the project."""
    for document, path, reference in table_references(project):
        if resolve_table(project, reference, document) is None and not looks_external(reference):
            name = misspelt(reference)
            hint = did_you_mean(name, known_names(project, name))
            message = f"no document writes a table '{reference}'"
            yield document.problem(path, message, hint or "a path outside the project starts with a scheme, / or ./")


def unknown_schemes(project: Project) -> Iterator[Problem]:
    """Paths outside the project of a scheme that nothing reads."""
    sources = ((data, "source_path", data.config.source_path) for data in project.data)
    for document, path, reference in (*sources, *table_references(project)):
        wrong = unknown_scheme(reference)
        if wrong and resolve_table(project, reference, document) is None:
            yield document.problem(path, *wrong)


def source_of(project: Project, data: Document[DataConfig]) -> TableRef | None:
    """The project's own table that a data document reads, or None where its source lies outside: a qualified name is
    that of a table elsewhere unless another document says it word for word.
    """
    if data.config.format != "delta":
        return None
    return resolve_table(project, data.config.source_path, data, exact=True)


def circular_tables(project: Project) -> Iterator[Problem]:
    """Tables that are made from themselves, through other documents or directly."""
    documents: dict[int, Document[Any]] = {id(each): each for each in (*project.data, *project.features)}
    reads = {key: [id(writer) for writer in _upstream_documents(project, each)] for key, each in documents.items()}
    try:
        TopologicalSorter(reads).prepare()
    except CycleError as error:
        ring = [documents[key] for key in reversed(error.args[1])]
        chain = " reads ".join(f"'{document.name}'" for document in ring)
        field = "source_path" if isinstance(ring[0].config, DataConfig) else "source_table"
        yield ring[0].problem(field, f"tables are made from each other: {chain}")


def _upstream_documents(project: Project, document: Document[Any]) -> list[Document[Any]]:
    """The documents that write what a data or feature document reads."""
    references = [text for by, _, text in table_references(project) if by is document]
    tables = [resolve_table(project, text, document) for text in references]
    tables += [source_of(project, document)] if isinstance(document.config, DataConfig) else []
    writers = [writer_of(project, table) for table in tables if table]
    return [writer for writer in writers if writer]


def unknown_models(project: Project) -> Iterator[Problem]:
    """Deployments and monitors of models that no training document registers."""
    known = [training.config.registry_model_name for training in project.training]
    watching: tuple[Document[Any], ...] = (*project.deployment, *project.monitoring)
    for document in watching:
        name = document.config.model_name
        if name is None and len(known) != 1:
            reason = f"the project has several models: {', '.join(known)}" if known else "the project trains no model"
            yield document.problem("model_name", f"required field is missing: {reason}")
        elif name is not None and name not in known:
            hint = did_you_mean(name, known) or (f"registered are {', '.join(known)}" if known else "")
            yield document.problem("model_name", f"no training document registers a model '{name}'", hint)


def feature_document_of(project: Project, feature_table: str | None) -> Document[FeatureConfig] | None:
    """The feature document whose table is trained on: the named one, or the only one."""
    if feature_table is None:
        return project.features[0] if len(project.features) == 1 else None
    table = resolve_table(project, feature_table)
    gold = TableRef("gold", (table.table if table else misspelt(feature_table)).removeprefix("gold/"))
    return next((each for each in project.features if each.name == gold.table), None)


def training_problems(project: Project) -> Iterator[Problem]:
    """Feature tables and feature columns that training documents name and no feature document has."""
    names = [features.name for features in project.features]
    for training in project.training:
        wanted = training.config.feature_table
        features = feature_document_of(project, wanted)
        if features is not None:
            known = feature_columns_of(features.config)
            for index, column in enumerate(training.config.feature_columns):
                if known and column not in known and not _is_output(column, features.config):
                    message = f"feature table '{features.name}' has no column '{column}'"
                    hint = did_you_mean(column, known) or f"add it to the features of {features.file}"
                    yield training.problem(("feature_columns", index), message, hint)
        elif wanted is not None:
            hint = did_you_mean(misspelt(wanted), names)
            yield training.problem("feature_table", f"no feature document makes a table '{wanted}'", hint)
        else:
            reason = f"several feature tables: {', '.join(names)}" if names else "no feature document to train on"
            yield training.problem("feature_table", f"the project has {reason}", "name one" if names else "")


def feature_columns_of(config: FeatureConfig) -> list[str]:
    """The columns a feature table is known to offer, outputs of transformations included; empty means any."""
    if not config.features:
        return []
    outputs = [
        name
        for specs in config.feature_transformations.values()
        for spec in specs
        if isinstance(spec, OneHotEncode)
        for name in spec.output_columns
    ]
    return [*config.features, *config.aggregate_columns, *outputs, *config.primary_keys, config.timestamp_column]


def _is_output(column: str, config: FeatureConfig) -> bool:
    """Whether it is named as an output whose names are only known once the transformation is fitted."""
    return any(
        column.startswith(f"{source}_")
        for source, specs in config.feature_transformations.items()
        for spec in specs
        if not (isinstance(spec, OneHotEncode) and spec.output_columns) and not isinstance(spec, Scaling)
    )


def unknown_transformed(document: Document[FeatureConfig]) -> Iterator[Problem]:
    """Transformations of columns that are not among the document's features."""
    config = document.config
    for column in config.feature_transformations:
        if config.features and column not in (
            *config.features,
            *config.primary_keys,
            config.timestamp_column,
        ):
            hint = did_you_mean(column, config.features) or "add it to features"
            yield document.problem(("feature_transformations", column), f"'{column}' is not among the features", hint)
