"""Fairness bounds: how far a metric may differ between the groups of a column."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl

from mlops_assets.config.gate import FairnessBound
from mlops_assets.features.joins import require_columns
from mlops_assets.training.evaluation import Outcomes, value_of
from mlops_assets.training.metrics import metric

POSITIVE_RATE = "positive_rate"


def fairness_violations(
    bounds: Sequence[FairnessBound], found: Outcomes, truth: Any, rows: pl.DataFrame
) -> Iterator[str]:
    """A sentence for each bound that does not hold over the groups of `rows`, or cannot be judged.

    Raises FeatureError naming a column that the rows do not have.
    """
    for bound in bounds:
        require_columns([bound.column], rows.columns, "gate.fairness: the training rows")
        where = f"fairness: {bound.metric} by {bound.column}"
        values = dict(_by_group(bound, found, truth, rows[bound.column]))
        if len(values) < 2:
            yield f"{where} cannot be judged: {len(values)} groups have {bound.min_rows} held-out rows and a value"
            continue
        most, least = max(values, key=values.__getitem__), min(values, key=values.__getitem__)
        gap = values[most] - values[least]
        if gap > bound.max_gap:
            both = f"{values[most]:.4f} for {most} and {values[least]:.4f} for {least}"
            yield f"{where} is {both}: {gap:.4f} apart, above {bound.max_gap:g}"


def _by_group(bound: FairnessBound, found: Outcomes, truth: Any, groups: pl.Series) -> Iterator[tuple[str, float]]:
    for name in groups.cast(pl.String).fill_null("null").unique().sort():
        inside = groups.cast(pl.String).fill_null("null").eq(name).to_numpy()
        value = _value(bound.metric, found.at(inside), truth[inside])
        if int(inside.sum()) >= bound.min_rows and value is not None:
            yield name, value


def _value(name: str, found: Outcomes, truth: Any) -> float | None:
    if name != POSITIVE_RATE:
        return value_of(metric(name), found, truth)[0]
    positive = found.classes[-1] if found.classes is not None else None
    return float(np.mean(found.labels == positive)) if positive is not None and len(found.labels) else None
