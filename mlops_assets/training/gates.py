"""The gate: whether a challenger may take the champion's place, and why not.

Two things are asked. The document's promotion criteria, in the rule language, over the challenger's metrics
on the held-out rows. And, where there is a champion, that it is beaten on the same rows by more than
`min_gain`, with `confidence`: the lower end of a paired bootstrap interval, not a bare difference.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from mlops_assets.config.training import GateConfig, TrainingConfig
from mlops_assets.features.frames import model_frame
from mlops_assets.rules import evaluate as holds
from mlops_assets.training.bootstrap import paired_gains
from mlops_assets.training.evaluation import Outcomes, evaluate, outcomes
from mlops_assets.training.metrics import gate_metric, metric, tracked


@dataclass(frozen=True)
class GateDecision:
    """Whether to promote, and the evidence.

    `challenger` and `champion` are metrics on the compared rows (all held-out rows where there is no
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
) -> GateDecision:
    """Judges two fitted pipelines (`champion` may be None) on held-out `rows` with `labels` (n,).

    `inputs` are each model's raw columns. `unseen` is a mask, shape (n,): rows the champion was not trained
    on; only these are compared, because a model looks too good on what it has learned. `said` is what the
    challenger says of `rows`, where that is known. Raises FeatureError where `rows` lack a column of a model,
    and RuleError for a criterion that cannot be read.
    """
    names = tracked(config)
    new = said if said is not None else outcomes(challenger, model_frame(rows, inputs), config.model_type)
    values = evaluate(new, labels, names)
    failed = unmet(config.promotion_criteria, values.values, values.reasons)
    chosen = gate_metric(config)
    if champion is None:
        reasons = failed or ["there is no champion yet"]
        return GateDecision(not failed, reasons, chosen, values.values, rows=rows.height)
    old = outcomes(champion, model_frame(rows, champion_inputs or inputs), config.model_type)
    if unseen is not None:
        new, old, labels = new.at(unseen), old.at(unseen), labels[unseen]
    return _compared(new, old, labels, names, config.gate, chosen, failed, config.random_seed)


def _compared(
    new: Outcomes,
    old: Outcomes,
    labels: Any,
    names: Sequence[str],
    gate: GateConfig,
    chosen: str,
    failed: Sequence[str],
    seed: int,
) -> GateDecision:
    import numpy as np

    wanted = metric(chosen)
    challenger, champion = (evaluate(each, labels, names) for each in (new, old))
    new_value, old_value = challenger.values[chosen], champion.values[chosen]
    evidence = GateDecision(False, [], chosen, challenger.values, champion.values, rows=len(labels))
    if new_value is None or old_value is None:
        why = {**champion.reasons, **challenger.reasons}[chosen]
        text = f"{chosen} is undefined on the {len(labels)} rows the champion was not trained on: {why}"
        return replace(evidence, reasons=[*failed, text])
    sign = 1 if wanted.greater_is_better else -1
    gains = sign * paired_gains(wanted, new, old, labels, samples=gate.bootstrap_samples, seed=seed)
    tail = (1 - gate.confidence) / 2
    low, high = map(float, np.quantile(gains, [tail, 1 - tail])) if len(gains) else (np.nan, np.nan)
    gain = sign * (new_value - old_value)
    text = (
        f"{chosen} {new_value:.4f} against the champion's {old_value:.4f} on {len(labels):,} rows: "
        f"gain {gain:+.4f}, {gate.confidence:.0%} interval {low:+.4f} to {high:+.4f}"
    )
    beaten = low > gate.min_gain
    verdict = f"{text}, {'above' if beaten else 'not surely above'} {gate.min_gain:g}"
    promote = beaten and not failed
    return replace(evidence, promote=promote, reasons=[*failed, verdict], gain=gain, low=low, high=high)


def unmet(criteria: Sequence[str], values: Mapping[str, float | None], reasons: Mapping[str, str]) -> list[str]:
    """A sentence for each criterion that does not hold over the metrics; unknown is not met."""
    row = pl.DataFrame({name: pl.Series([value], dtype=pl.Float64) for name, value in values.items()})
    sentences = []
    for criterion in criteria:
        if not holds(criterion, row)[0]:
            named = [name for name in values if name in criterion]
            shown = ", ".join(f"{name} is {_shown(values[name], reasons.get(name, ''))}" for name in named)
            sentences.append(f"'{criterion}' does not hold: {shown}")
    return sentences


def _shown(value: float | None, reason: str) -> str:
    return f"{value:.4f}" if value is not None else f"undefined ({reason})"
