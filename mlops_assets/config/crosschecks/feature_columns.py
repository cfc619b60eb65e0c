"""Checks the columns of feature tables and their joins, if the data documents declare their tables' columns."""

from collections.abc import Iterable, Iterator
from typing import Any

from mlops_assets.config.crosschecks.references import feature_document_of
from mlops_assets.config.crosschecks.silver_schema import silver_schema
from mlops_assets.config.data import HISTORY, DataConfig
from mlops_assets.config.document import Document
from mlops_assets.config.features import PREDICTION_COLUMNS, FeatureConfig, Join
from mlops_assets.config.parsing.source import Path
from mlops_assets.config.problems import Problem, did_you_mean
from mlops_assets.config.project import Project
from mlops_assets.config.tables import resolve_table, writer_of


def feature_problems(project: Project) -> Iterator[Problem]:
    """Keys, times and columns of a feature document that are not among the declared columns of their tables."""
    trained_on = [feature_document_of(project, training.config.feature_table) for training in project.training]
    for document in project.features:
        config = document.config
        source = columns_of(project, config.source_table, document)
        yield from missing_columns(
            document, f"'{config.source_table}'", [(("timestamp_column",), config.timestamp_column)], source
        )
        left = source | set(config.aggregate_columns) if source else None
        for index, join in enumerate(config.joins):
            right, at = columns_of(project, join.table, document), ("joins", index)
            yield from missing_columns(document, f"table '{join.table}'", _right_columns(join, at), right)
            yield from missing_columns(document, "what is joined so far", _left_columns(join, config, at), left)
            left = left | _joined_columns(join, right) if left and right else None
        if project.deployment and document in trained_on:
            yield from _reserved_names(document)
        where = f"'{config.source_table}' with its joins" if config.joins else f"'{config.source_table}'"
        yield from missing_columns(document, where, _own_columns(config), left)


def columns_of(project: Project, reference: str, reader: Document[Any]) -> frozenset[str] | None:
    """The declared columns of a referenced silver table; None where it may have others, or its steps have problems of
    their own.
    """
    table = resolve_table(project, reference, reader)
    writer = writer_of(project, table) if table and table.layer == "silver" else None
    if table is None or writer is None or writer.name != table.table or not isinstance(writer.config, DataConfig):
        return None
    schema = silver_schema(writer)
    if schema is None or schema.open or schema.problems:
        return None
    return frozenset(schema.columns) | frozenset(HISTORY if writer.config.mode == "scd2" else ())


def missing_columns(
    document: Document[Any], where: str, named: Iterable[tuple[Path, str]], known: frozenset[str] | None
) -> Iterator[Problem]:
    """A problem for each unknown column, with the nearest known one; none if `known` is None."""
    for path, column in named:
        if known and column and column not in known and not column.startswith("_"):
            yield document.problem(path, f"{where} has no column '{column}'", did_you_mean(column, sorted(known)))


def _reserved_names(document: Document[FeatureConfig]) -> Iterator[Problem]:
    """Columns that the table of predictions has too: their values would be lost, and no label would join."""
    named = [(("timestamp_column",), document.config.timestamp_column), *_own_columns(document.config)]
    for path, column in named:
        if column in PREDICTION_COLUMNS:
            yield document.problem(
                path,
                f"the table of predictions has a column '{column}' of its own",
                "rename it in the data document (rename_columns)",
            )


def _own_columns(config: FeatureConfig) -> Iterator[tuple[Path, str]]:
    """Keys, features and partitions of the table itself."""
    for field in ("primary_keys", "features", "partition_columns"):
        yield from (((field, index), column) for index, column in enumerate(getattr(config, field)))


def _right_columns(join: Join, at: Path) -> Iterator[tuple[Path, str]]:
    keys = list(join.on.values()) if isinstance(join.on, dict) else join.on
    times = [join.as_of] if join.as_of else []
    fields = {"on": keys, "as_of": times, "columns": join.columns, "rename": list(join.rename)}
    return (((*at, field), column) for field, columns in fields.items() for column in columns)


def _left_columns(join: Join, config: FeatureConfig, at: Path) -> Iterator[tuple[Path, str]]:
    yield from (((*at, "on"), column) for column in join.on)
    if join.as_of and join.left_time:
        yield (*at, "left_time"), join.left_time


def _joined_columns(join: Join, right: frozenset[str]) -> frozenset[str]:
    keys = set(join.on.values() if isinstance(join.on, dict) else join.on)
    columns = join.columns or sorted(right - keys)
    return frozenset(join.prefix + join.rename.get(column, column) for column in columns)
