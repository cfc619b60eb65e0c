"""What monitors ask of a project: one of them, and columns that the model's feature table has."""

from collections.abc import Iterator

from mlops_assets.config.document import Document, FieldPath
from mlops_assets.config.features import FeatureConfig
from mlops_assets.config.monitoring import MonitoringConfig
from mlops_assets.config.problems import Problem, did_you_mean
from mlops_assets.config.project import Project
from mlops_assets.config.references import feature_document_of


def monitor_problems(project: Project) -> Iterator[Problem]:
    """A second monitor, whose tables and assets would be those of the first, and columns that are not there."""
    enabled = [each for each in project.monitoring if each.config.enabled]
    for document in enabled[1:]:
        hint = "set `enabled: false` in one of them, or give the other model a project of its own"
        yield document.problem("metrics", f"the project has a monitor already, in {enabled[0].file}", hint)
    for document in project.monitoring:
        yield from _unknown_columns(project, document)


def _unknown_columns(project: Project, document: Document[MonitoringConfig]) -> Iterator[Problem]:
    features = _watched_features(project, document.config)
    if features is None or not features.config.features:
        return
    config = features.config
    known = [*config.features, *config.primary_keys, config.timestamp_column]
    known += [*config.aggregate_columns, *config.partition_columns]
    for path, column in _columns(document.config):
        if column not in known:
            hint = did_you_mean(column, known) or f"the features are in {features.file}"
            yield document.problem(path, f"feature table '{features.name}' has no column '{column}'", hint)


def _watched_features(project: Project, config: MonitoringConfig) -> Document[FeatureConfig] | None:
    trained = [each for each in project.training if config.model_name in (None, each.config.registry_model_name)]
    return feature_document_of(project, trained[0].config.feature_table) if len(trained) == 1 else None


def _columns(config: MonitoringConfig) -> Iterator[tuple[FieldPath, str]]:
    drift = config.data_drift_detection
    named: dict[tuple[str, ...], list[str]] = {
        ("data_drift_detection", "features_to_monitor"): list(drift.features_to_monitor) if drift else [],
        ("slices",): list(config.slices),
        ("sensitive_features",): list(config.sensitive_features),
    }
    return (((*field, index), column) for field, columns in named.items() for index, column in enumerate(columns))
