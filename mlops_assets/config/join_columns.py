"""Columns of joins, where the documents of both tables declare theirs."""

from collections.abc import Iterable, Iterator
from typing import Any

from mlops_assets.config.data import DataConfig
from mlops_assets.config.document import Document
from mlops_assets.config.features import FeatureConfig, Join
from mlops_assets.config.problems import Problem, did_you_mean
from mlops_assets.config.project import Project
from mlops_assets.config.source import Path
from mlops_assets.config.tables import declared_columns, resolve_table, writer_of


def join_problems(project: Project) -> Iterator[Problem]:
    """Keys, times and columns of joins that the joined tables are declared not to have."""
    for document in project.features:
        left = columns_of(project, document.config.source_table, document)
        for index, join in enumerate(document.config.joins):
            right = columns_of(project, join.table, document)
            yield from _missing(document, ("joins", index), join.table, _right(join), right)
            yield from _missing(document, ("joins", index), "the rows so far", _left(join, document.config), left)
            left = left | _taken(join, right) if left and right else None


def columns_of(project: Project, reference: str, reader: Document[Any]) -> frozenset[str] | None:
    """The declared columns of a referenced silver table, or None where they are not known."""
    table = resolve_table(project, reference, reader)
    writer = writer_of(project, table) if table and table.layer == "silver" else None
    return declared_columns(writer.config) if writer and isinstance(writer.config, DataConfig) else None


def _right(join: Join) -> list[tuple[str, str]]:
    keys = list(join.on.values()) if isinstance(join.on, dict) else join.on
    times = [join.as_of] if join.as_of else []
    fields = {"on": keys, "as_of": times, "columns": join.columns, "rename": list(join.rename)}
    return [(field, column) for field, columns in fields.items() for column in columns]


def _left(join: Join, config: FeatureConfig) -> list[tuple[str, str]]:
    times = [("left_time", join.left_time or config.timestamp_column)] if join.as_of else []
    return [("on", column) for column in join.on] + times


def _taken(join: Join, right: frozenset[str]) -> frozenset[str]:
    keys = set(join.on.values() if isinstance(join.on, dict) else join.on)
    columns = join.columns or sorted(right - keys)
    return frozenset(join.prefix + join.rename.get(column, column) for column in columns)


def _missing(
    document: Document[FeatureConfig],
    path: Path,
    table: str,
    wanted: Iterable[tuple[str, str]],
    declared: frozenset[str] | None,
) -> Iterator[Problem]:
    for field, column in wanted:
        if declared and column not in declared and not column.startswith("_"):
            where = f"table '{table}'" if "rows" not in table else table
            hint = did_you_mean(column, sorted(declared))
            yield document.problem((*path, field), f"{where} has no column '{column}'", hint)
