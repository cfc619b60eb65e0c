"""Checks the columns that training and aggregates use, if the documents declare their tables' columns."""

from collections.abc import Iterator

from mlops_assets.config.crosschecks.feature_columns import columns_of, missing_columns
from mlops_assets.config.crosschecks.references import feature_columns_of, feature_document_of
from mlops_assets.config.features import FeatureConfig
from mlops_assets.config.parsing.source import Path
from mlops_assets.config.problems import Problem
from mlops_assets.config.project import Project
from mlops_assets.config.training import TrainingConfig


def column_problems(project: Project) -> Iterator[Problem]:
    """Columns of aggregates, and columns of training documents other than features, that the source does not have."""
    for features in project.features:
        source = columns_of(project, features.config.source_table, features)
        yield from missing_columns(
            features, f"'{features.config.source_table}'", _aggregate_columns(features.config), source
        )
    for training in project.training:
        features_of = feature_document_of(project, training.config.feature_table)
        source = columns_of(project, features_of.config.source_table, features_of) if features_of else None
        if features_of is None or source is None:
            continue
        offered = feature_columns_of(features_of.config)
        if offered or not features_of.config.joins:
            where = f"'{features_of.name}' and '{features_of.config.source_table}'"
            yield from missing_columns(training, where, _non_feature_columns(training.config), source | set(offered))


def _aggregate_columns(config: FeatureConfig) -> Iterator[tuple[Path, str]]:
    for index, aggregate in enumerate(config.aggregates):
        yield ("aggregates", index, "column"), aggregate.column
        for place, column in enumerate(aggregate.by):
            yield ("aggregates", index, "by", place), column


def _non_feature_columns(config: TrainingConfig) -> Iterator[tuple[Path, str]]:
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
