"""Estimates a regression's loss before labels arrive, by direct loss estimation (DLE).

A second model learns the loss of earlier, labelled rows from their features and predictions, and predicts the loss of
rows without labels. It reflects changes of the inputs, but not of the relation between inputs and labels.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from mlops_assets.monitoring.bins import Floats
from mlops_assets.monitoring.directions import canonical, higher_is_better
from mlops_assets.monitoring.estimates import PREFIX
from mlops_assets.monitoring.performance import MetricValue

LOSSES = ("mae", "mse", "rmse")
MOST_ROWS = 20_000
TOO_FEW = "too few labelled rows before it"


def has_loss_estimate(metric: str) -> bool:
    """Whether a metric can be estimated from the losses of single rows."""
    return canonical(metric) in LOSSES


def loss_estimates(
    rows: pl.DataFrame, before: pl.DataFrame, *, label: str, features: Sequence[str], metrics: Sequence[str], least: int
) -> list[MetricValue]:
    """The estimated losses of a window's `rows` (columns prediction and `features`).

    They are learned from the newest labelled rows `before` the window; no value if there are fewer than `least`.
    """
    known = before.drop_nulls([label, "prediction"]).tail(MOST_ROWS)
    names = [PREFIX + canonical(metric) for metric in metrics]
    if known.height < least or rows.is_empty():
        return [_value(name, None) for name in names]
    then, now = _matrices(known, rows, [*features, "prediction"])
    error = (known[label].cast(pl.Float64) - known["prediction"].cast(pl.Float64)).abs().to_numpy()
    return [_value(name, _expected(name.removeprefix(PREFIX), then, error, now)) for name in names]


def _expected(metric: str, then: Floats, error: Floats, now: Floats) -> float:
    losses = error if metric == "mae" else error**2
    mean = float(_model().fit(then, losses).predict(now).clip(min=0).mean())
    return mean**0.5 if metric == "rmse" else mean


def _model() -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor

    # The mean of a window is asked for, not the loss of a row: few leaves, each of many rows.
    return HistGradientBoostingRegressor(max_leaf_nodes=15, min_samples_leaf=50, random_state=0, early_stopping=False)


def _matrices(known: pl.DataFrame, rows: pl.DataFrame, columns: Sequence[str]) -> tuple[Floats, Floats]:
    """Both frames as numbers, shapes (rows, columns); levels are numbered by their rank in both."""
    both = pl.concat([known.select(columns), rows.select(columns)], how="vertical_relaxed")
    numbers = both.select(
        (pl.col(name) if both[name].dtype.is_numeric() else pl.col(name).cast(pl.String).rank("dense")).cast(pl.Float64)
        for name in columns
    )
    values = np.asarray(numbers.to_numpy(), dtype=np.float64)
    return values[: known.height], values[known.height :]


def _value(name: str, value: float | None) -> MetricValue:
    reason = TOO_FEW if value is None else None
    return MetricValue(name, value, higher_is_better=higher_is_better(name), reason=reason)
