"""Checks of monitoring documents: one per project, the model's metrics, existing columns, a schedulable interval."""

from collections.abc import Iterator

from mlops_assets.config.crosschecks.references import feature_document_of
from mlops_assets.config.document import Document, FieldPath
from mlops_assets.config.features import FeatureConfig
from mlops_assets.config.metric_names import METRICS_OF, MONITOR_METRICS, is_model_metric
from mlops_assets.config.monitoring import MonitoringConfig
from mlops_assets.config.problems import Problem, did_you_mean
from mlops_assets.config.project import Project
from mlops_assets.config.training import TrainingConfig

MINUTES_A_DAY = 1440
LONGEST_MONTH = 31 * MINUTES_A_DAY
SCORED = "what is deployed is scored, and what is scored is watched (deployment_type: batch needs no endpoint)"


def monitor_problems(project: Project) -> Iterator[Problem]:
    """A second monitor (its tables would collide with the first's), unfit metrics or detectors, unknown columns."""
    enabled = [each for each in project.monitoring if each.config.enabled]
    for document in enabled[1:]:
        hint = "set `enabled: false` in one of them, or give the other model a project (a folder) of its own"
        yield document.problem("metrics", f"the project has a monitor already, in {enabled[0].file}", hint)
    for document in project.monitoring:
        watched = _monitored_model(project, document.config)
        if watched is not None:
            yield from _unfit_metrics(document, watched)
            yield from _unknown_columns(document, feature_document_of(project, watched.feature_table))


def idle_monitors(project: Project) -> list[str]:
    """A warning, with file and line, for each monitor of a model that no document deploys."""
    deployed = {each.config.model_name for each in project.deployment}
    watching = [(each, _monitored_model(project, each.config)) for each in project.monitoring if each.config.enabled]
    return [
        str(document.problem("metrics", f"has no effect: no document deploys '{model.registry_model_name}'", SCORED))
        for document, model in watching
        if model is not None and model.registry_model_name not in deployed
    ]


def uneven_intervals(document: Document[MonitoringConfig]) -> list[str]:
    """A warning, with file and line, for an interval that cron cannot keep: it counts whole days within a month."""
    minutes = document.config.monitoring_interval_minutes
    days = round(minutes / MINUTES_A_DAY)
    if not document.config.enabled or minutes <= MINUTES_A_DAY or minutes == days * MINUTES_A_DAY <= LONGEST_MONTH:
        return []
    by_days = f"every {days} days, counted from the first of each month" if days > 1 else "every day"
    runs = "on the first of each month" if minutes > LONGEST_MONTH else by_days
    return [
        str(document.problem("monitoring_interval_minutes", f"{minutes} minutes are no schedule's: it runs {runs}"))
    ]


def _monitored_model(project: Project, config: MonitoringConfig) -> TrainingConfig | None:
    """The model that the document monitors; None if unknown or ambiguous."""
    trained = [each.config for each in project.training if config.model_name in (None, each.config.registry_model_name)]
    return trained[0] if len(trained) == 1 else None


def _unfit_metrics(document: Document[MonitoringConfig], watched: TrainingConfig) -> Iterator[Problem]:
    kind, known = watched.model_type, METRICS_OF[watched.model_type]
    for place, name in enumerate(document.config.metrics):
        if name not in MONITOR_METRICS and not is_model_metric(name.removeprefix("model_"), known):
            message = f"'{name}' is no metric of {kind}"
            yield document.problem(("metrics", place), message, f"these are: {', '.join(known)}")
    tracking = document.config.model_performance_tracking
    detectors = tracking.detectors if tracking else []
    path = ("model_performance_tracking", "detectors")
    if detectors and kind == "clustering":
        yield document.problem(path, "a clustering has no errors to follow", "leave them out")
    elif "ddm" in detectors and kind == "regression":
        yield document.problem(path, "'ddm' takes errors of classifiers only", "adwin or page_hinkley would do")


def _unknown_columns(
    document: Document[MonitoringConfig], features: Document[FeatureConfig] | None
) -> Iterator[Problem]:
    if features is None or not features.config.features:
        return
    config = features.config
    known = [*config.features, *config.primary_keys, config.timestamp_column]
    known += [*config.aggregate_columns, *config.partition_columns]
    for path, column in _named_columns(document.config):
        if column not in known:
            hint = did_you_mean(column, known) or f"the features are in {features.file}"
            yield document.problem(path, f"feature table '{features.name}' has no column '{column}'", hint)


def _named_columns(config: MonitoringConfig) -> Iterator[tuple[FieldPath, str]]:
    drift = config.data_drift_detection
    named: dict[tuple[str, ...], list[str]] = {
        ("data_drift_detection", "features_to_monitor"): list(drift.features_to_monitor) if drift else [],
        ("slices",): list(config.slices),
        ("sensitive_features",): list(config.sensitive_features),
    }
    return (((*field, index), column) for field, columns in named.items() for index, column in enumerate(columns))
