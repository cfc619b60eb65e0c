"""Metrics that a training document names and a model of its type does not have."""

from collections.abc import Iterator

from mlops_assets.config.document import Document
from mlops_assets.config.metric_names import METRICS_OF, is_model_metric
from mlops_assets.config.parsing.source import Path
from mlops_assets.config.problems import Problem, did_you_mean
from mlops_assets.config.training import TrainingConfig
from mlops_assets.rules import RuleError, columns, parse


def metric_problems(document: Document[TrainingConfig]) -> Iterator[Problem]:
    """A problem for each metric, gate and criterion that names no metric of the model's type."""
    kind = document.config.model_type
    known = METRICS_OF[kind]
    for path, name in _named_metrics(document.config):
        if not is_model_metric(name, known):
            hint = did_you_mean(name, known) or f"these are: {', '.join(known)}"
            yield document.problem(path, f"'{name}' is no metric of {kind}", hint)


def _named_metrics(config: TrainingConfig) -> Iterator[tuple[Path, str]]:
    for index, name in enumerate(config.metrics):
        yield ("metrics", index), name
    if config.gate.metric:
        yield ("gate", "metric"), config.gate.metric
    for name in config.gate.guard_metrics:
        yield ("gate", "guard_metrics", name), name
    for index, bound in enumerate(config.gate.fairness):
        if bound.metric != "positive_rate":
            yield ("gate", "fairness", index, "metric"), bound.metric
    for index, criterion in enumerate(config.promotion_criteria):
        try:
            names = columns(parse(criterion))
        except RuleError:
            continue  # told by the conditions' own check
        for name in sorted(names):
            yield ("promotion_criteria", index), name
