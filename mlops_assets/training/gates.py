"""The gate: whether a challenger may replace the champion, and why not.

The document's promotion criteria, in the rule language, must hold for the challenger's metrics on the held-out
rows, and its fairness bounds between groups of them. If there is a champion, it must be beaten on the same rows by more
than `min_gain`, with `confidence`: the lower end of a paired bootstrap interval counts, not the difference itself. No
guard metric may, with the same confidence, lose more than its bound. Anomaly detectors without labels are not compared.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from mlops_assets.config.training import TrainingConfig
from mlops_assets.features.frames import model_frame
from mlops_assets.features.joins import require_columns
from mlops_assets.rules import evaluate as holds
from mlops_assets.training.bootstrap import paired_gains
from mlops_assets.training.evaluation import Evaluation, Outcomes, evaluate, outcomes
from mlops_assets.training.fairness import fairness_violations
from mlops_assets.training.metrics import gate_metric, metric, tracked

UNLABELLED = (
    "no held-out row is labelled an anomaly, so two models cannot be compared: only criteria, bounds and signature "
    "decide"
)


@dataclass(frozen=True)
class GateDecision:
    """Whether to promote, and the evidence.

    `challenger` and `champion` are metrics on the compared rows (all held-out rows if there is no
    champion); `gain` is in the direction that is better, `low` and `high` its interval; `rows` were compared.
    """

    promote: bool
    reasons: Sequence[str]
    metric: str
    challenger: Mapping[str, float | None] = field(default_factory=dict)
    champion: Mapping[str, float | None] = field(default_factory=dict)
    gain: float | None = None
    low: float | None = None
    high: float | None = None
    rows: int = 0


def decide(
    challenger: Any,
    champion: Any,
    rows: pl.DataFrame,
    labels: Any,
    config: TrainingConfig,
    *,
    inputs: Sequence[str],
    champion_inputs: Sequence[str] = (),
    unseen: Any = None,
    said: Outcomes | None = None,
    measured: Evaluation | None = None,
) -> GateDecision:
    """Judges two fitted pipelines (`champion` may be None) on held-out `rows` with `labels` (n,).

    `inputs` are each model's raw columns. `unseen` is a mask, shape (n,): rows the champion was not trained
    on; only these are compared, because a model looks too good on its training rows. `said` and `measured` are the
    challenger's outcomes and metrics on `rows`, if already computed. Raises FeatureError if `rows` lack a column of a
    model, and RuleError for an invalid criterion.
    """
    names = tracked(config)
    new = said if said is not None else outcomes(challenger, model_frame(rows, inputs), config.model_type)
    values = measured if measured is not None else evaluate(new, labels, names)
    failed = [
        *unmet_criteria(config.promotion_criteria, values.values, values.reasons),
        *fairness_violations(config.gate.fairness, new, labels, rows),
    ]
    chosen, groups = gate_metric(config), _groups(rows, config)
    if champion is None:
        outlook = UNLABELLED if _unlabelled(labels, config) else _next_version_text(chosen, values)
        reasons = failed or [f"there is no champion yet; {outlook}"]
        return GateDecision(not failed, reasons, chosen, values.values, rows=rows.height)
    old = outcomes(champion, model_frame(rows, champion_inputs or inputs), config.model_type)
    if unseen is not None:
        new, old, labels = new.at(unseen), old.at(unseen), labels[unseen]
        groups = groups[unseen] if groups is not None else None
        values = evaluate(new, labels, names)
    return _compared((new, values), (old, evaluate(old, labels, names)), labels, config, failed, groups)


def _unlabelled(labels: Any, config: TrainingConfig) -> bool:
    """Whether anomaly detectors cannot be compared, because no row is labelled an anomaly."""
    return config.model_type == "anomaly_detection" and config.gate.metric is None and not labels.any()


def _next_version_text(chosen: str, first: Evaluation) -> str:
    """What the next version has to beat; warns if that metric is undefined, while it can still be changed."""
    reason = first.reasons.get(chosen)
    undefined = f", which is undefined on these held-out rows ({reason}): name another gate.metric" if reason else ""
    return f"the next version has to beat it in {chosen}{undefined}"


def _compared(
    of_challenger: tuple[Outcomes, Evaluation],
    of_champion: tuple[Outcomes, Evaluation],
    labels: Any,
    config: TrainingConfig,
    failed: Sequence[str],
    groups: Any,
) -> GateDecision:
    """The decision on rows that neither model was trained on; `groups` (n,) numbers the groups that are resampled."""
    chosen, (new, challenger), (old, champion) = gate_metric(config), of_challenger, of_champion
    new_value, old_value = challenger.values[chosen], champion.values[chosen]
    evidence = GateDecision(False, [], chosen, challenger.values, champion.values, rows=len(labels))
    if _unlabelled(labels, config):
        reasons = [*failed, *_guard_violations(new, old, labels, config, groups)]
        return replace(evidence, promote=not reasons, reasons=[*reasons, UNLABELLED])
    if new_value is None or old_value is None:
        reason = {**champion.reasons, **challenger.reasons}[chosen]
        text = f"{chosen} is undefined on the {len(labels)} rows the champion was not trained on: {reason}"
        return replace(evidence, reasons=[*failed, text])
    low, high = _interval(chosen, new, old, labels, config, groups)
    gain = metric(chosen).direction * (new_value - old_value)
    in_groups = f" in {len(set(groups.tolist())):,} groups" if groups is not None else ""
    text = (
        f"{chosen} {new_value:.4f} against the champion's {old_value:.4f} on {len(labels):,} rows{in_groups}: "
        f"gain {gain:+.4f}, {config.gate.confidence:.0%} interval {low:+.4f} to {high:+.4f}"
    )
    beaten = low > config.gate.min_gain
    verdict = f"{text}, {'above' if beaten else 'not surely above'} {config.gate.min_gain:g}"
    guard_violations = list(_guard_violations(new, old, labels, config, groups))
    reasons = [*failed, *guard_violations, verdict]
    return replace(evidence, promote=len(reasons) == 1 and beaten, reasons=reasons, gain=gain, low=low, high=high)


def _guard_violations(new: Outcomes, old: Outcomes, labels: Any, config: TrainingConfig, groups: Any) -> Iterator[str]:
    """A sentence for each guard metric that may have lost more than allowed, or is undefined."""
    for name, allowed in config.gate.guard_metrics.items():
        low, high = _interval(name, new, old, labels, config, groups)
        if not low >= -allowed:
            yield f"guard: {name} gains {low:+.4f} to {high:+.4f} over the champion, and may lose {allowed:g} at most"


def _interval(
    name: str, new: Outcomes, old: Outcomes, labels: Any, config: TrainingConfig, groups: Any
) -> tuple[float, float]:
    """The bootstrap interval of the gain, positive meaning better; NaN if the metric is undefined."""
    import numpy as np

    wanted, gate = metric(name), config.gate
    gains = wanted.direction * paired_gains(
        wanted, new, old, labels, samples=gate.bootstrap_samples, seed=config.random_seed, groups=groups
    )
    if not len(gains):
        return float("nan"), float("nan")
    tail = (1 - gate.confidence) / 2
    low, high = np.quantile(gains, [tail, 1 - tail])
    return float(low), float(high)


def _groups(rows: pl.DataFrame, config: TrainingConfig) -> Any:
    """The number of each row's group, (n,), for `resample_by`; None if single rows are resampled."""
    name = config.gate.resample_by
    if name is None:
        return None
    require_columns([name], rows.columns, "gate.resample_by: the training rows")
    column = rows[name]
    column = column.dt.date() if isinstance(column.dtype, pl.Datetime) else column
    return column.rank("dense").fill_null(0).to_numpy().astype("int64")


def unmet_criteria(
    criteria: Sequence[str], values: Mapping[str, float | None], reasons: Mapping[str, str]
) -> list[str]:
    """A sentence for each criterion that does not hold for the metrics; an undefined metric fails its criterion."""
    row = pl.DataFrame({name: pl.Series([value], dtype=pl.Float64) for name, value in values.items()})
    sentences = []
    for criterion in criteria:
        if not holds(criterion, row)[0]:
            named = [name for name in values if name in criterion]
            figures = ", ".join(f"{name} is {_shown(values[name], reasons.get(name, ''))}" for name in named)
            sentences.append(f"'{criterion}' does not hold: {figures}")
    return sentences


def _shown(value: float | None, reason: str) -> str:
    return f"{value:.4f}" if value is not None else f"undefined ({reason})"
