"""Fields of a deployment document that have no effect given its other fields: accepted, with a warning at load."""

from collections.abc import Iterable, Iterator

from mlops_assets.config.deployment import DeploymentConfig
from mlops_assets.config.document import Document, FieldPath

ENDPOINT_FIELDS = (
    "endpoint_name",
    "compute_type",
    "compute_scale",
    "min_replicas",
    "max_replicas",
    "autoscaling_enabled",
    "enable_access_control",
    "timeout_seconds",
    "requests_per_minute",
    "inference_log",
    "environment_variables",
    "rollout",
    "tests",
)
WATCHED_FIELDS = ("increments", "evaluation_period", "success_criteria", "shadow_percentage")
LOG_FIELDS = ("fraction", "hash_columns", "drop_columns")
FieldMessage = tuple[FieldPath, str]


def ineffective_fields(document: Document[DeploymentConfig]) -> list[str]:
    """A warning, with file, line and field, for each field that is given without effect."""
    config = document.config
    endpoint = config.deployment_type == "serving_endpoint"
    found = _ineffective_at_endpoint(config) if endpoint else _ineffective_without_endpoint(config)
    return [str(document.problem(field, message)) for field, message in found]


def _ineffective_without_endpoint(config: DeploymentConfig) -> Iterator[FieldMessage]:
    """Batch scoring has no endpoint; `tests: []` asks for nothing."""
    for name in ENDPOINT_FIELDS:
        if name in config.model_fields_set and getattr(config, name) != []:
            yield name, f"has no effect: a deployment of type '{config.deployment_type}' has no endpoint"


def _ineffective_at_endpoint(config: DeploymentConfig) -> Iterator[FieldMessage]:
    if not config.autoscaling_enabled and config.min_replicas == 0:
        yield "min_replicas", "0 has no effect without autoscaling_enabled: one worker always runs"
    if not config.autoscaling_enabled and config.max_replicas > max(1, config.min_replicas):
        yield "max_replicas", "has no effect without autoscaling_enabled: min_replicas run"
    if not config.inference_log.enabled:
        yield from _given_fields(config, "inference_log", LOG_FIELDS, "has no effect: the log is not enabled")
    if config.rollout.strategy == "all_at_once":
        yield from _given_fields(config, "rollout", WATCHED_FIELDS, "has no effect with strategy 'all_at_once'")
    if config.rollout.strategy == "blue_green":
        yield from _given_fields(config, "rollout", ("increments",), "has no effect with strategy 'blue_green'")
    if not config.tests:
        yield "tests", "an empty list: nothing is asked of a version before it is relied on"


def _given_fields(config: DeploymentConfig, part: str, names: Iterable[str], message: str) -> Iterator[FieldMessage]:
    given = getattr(config, part).model_fields_set
    return ((f"{part}.{name}", message) for name in names if name in given)
