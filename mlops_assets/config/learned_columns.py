"""Columns that are learned from, split by or summed up, where the documents declare what their tables have."""

from collections.abc import Iterator
from typing import Any

from mlops_assets.config.data import DataConfig
from mlops_assets.config.document import Document
from mlops_assets.config.features import FeatureConfig
from mlops_assets.config.problems import Problem, did_you_mean
from mlops_assets.config.project import Project
from mlops_assets.config.references import feature_columns_of, feature_document_of
from mlops_assets.config.source import Path
from mlops_assets.config.tables import declared_columns, resolve_table, writer_of
from mlops_assets.config.training import TrainingConfig


def column_problems(project: Project) -> Iterator[Problem]:
    """Aggregates of columns that the source is declared not to have, and what a training names beside its features."""
    for features in project.features:
        source = _source_columns(project, features)
        yield from _missing(features, features.config.source_table, _summed(features.config), source)
    for training in project.training:
        features_of = feature_document_of(project, training.config.feature_table)
        source = _source_columns(project, features_of) if features_of else None
        if features_of is None or source is None:
            continue
        offered = feature_columns_of(features_of.config)
        if offered or not features_of.config.joins:
            where = f"{features_of.name}' and '{features_of.config.source_table}"
            yield from _missing(training, where, _beside(training.config), source | set(offered))


def _source_columns(project: Project, features: Document[FeatureConfig]) -> frozenset[str] | None:
    """What the source is declared to have; None where it may have more."""
    table = resolve_table(project, features.config.source_table, features)
    writer = writer_of(project, table) if table and table.layer == "silver" else None
    config = writer.config if writer else None
    if not isinstance(config, DataConfig) or config.schema_evolution == "add":
        return None
    return declared_columns(config)


def _summed(config: FeatureConfig) -> Iterator[tuple[Path, str]]:
    for index, aggregate in enumerate(config.aggregates):
        yield ("aggregates", index, "column"), aggregate.column
        for place, column in enumerate(aggregate.by):
            yield ("aggregates", index, "by", place), column


def _beside(config: TrainingConfig) -> Iterator[tuple[Path, str]]:
    """Label, weight, time, groups and slices."""
    if config.model_type in ("classification", "regression"):
        yield ("target_column",), config.target_column
    for field in ("sample_weight_column", "time_column", "group_column"):
        yield (field,), getattr(config, field) or ""
    yield ("gate", "resample_by"), config.gate.resample_by or ""
    for index, bound in enumerate(config.gate.fairness):
        yield ("gate", "fairness", index, "column"), bound.column
    for index, column in enumerate(config.slices):
        yield ("slices", index), column


def _missing(
    document: Document[Any], table: str, wanted: Iterator[tuple[Path, str]], known: frozenset[str] | None
) -> Iterator[Problem]:
    for path, column in wanted:
        if known and column and column not in known and not column.startswith("_"):
            yield document.problem(path, f"'{table}' has no column '{column}'", did_you_mean(column, sorted(known)))
