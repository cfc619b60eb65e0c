"""Metrics beyond their alert thresholds, each in its own bad direction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlops_assets.monitoring import slices
from mlops_assets.monitoring.directions import higher_is_better
from mlops_assets.monitoring.estimates import PREFIX
from mlops_assets.monitoring.performance import WindowPerformance


@dataclass(frozen=True)
class Breach:
    """A metric beyond its alert threshold, in its own bad direction."""

    window: str
    version: str
    metric: str
    value: float
    threshold: float
    higher_is_better: bool


def performance_alarm(
    history: Sequence[WindowPerformance], thresholds: Mapping[str, float], *, min_labelled: int = 1
) -> list[Breach]:
    """Every metric of `history` beyond its threshold, that of a slice too.

    Below it where higher is better, above it where lower is.

    Thresholds of metrics that the history does not carry, and values that are undefined or rest on fewer than
    `min_labelled` labels, are no breach; an estimate is held only against a threshold that names it
    (`estimated_roc_auc`).
    """
    return [
        Breach(one.window, one.version, slices.renamed(found.name, name), found.value, threshold, better)
        for one in history
        for name, threshold in thresholds.items()
        if name.startswith(PREFIX) or one.labelled >= min_labelled
        for better in [higher_is_better(name)]
        for found in one.named(name)
        if found.value is not None and (found.value < threshold if better else found.value > threshold)
    ]
