"""Any metric of scikit-learn over labelled rows, as training computes it: for more than two classes, and for the names
that have no formula over many weightings at once.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from mlops_assets.monitoring.bins import Floats
from mlops_assets.monitoring.bootstrap import bootstrap_interval
from mlops_assets.monitoring.metrics import Metric, Outcomes
from mlops_assets.training import evaluation
from mlops_assets.training.metrics import PROBABILITY, SCORE, SHAPE, metric

Classes = Sequence[Any]
Interval = tuple[float | None, float | None]
NONE: Interval = (None, None)


def any_metric(
    name: str, rows: pl.DataFrame, classes: Classes | None, *, samples: int = 0, seed: int = 0
) -> tuple[float | None, Interval, str | None]:
    """The value of a metric, its 95 % interval by `samples` resamplings, and why it has no value.

    `rows` has the columns label, prediction and probability, no label null; `classes` are the labels that the model
    tells apart, ascending, None for a regression.
    """
    wanted = metric(name)
    if wanted.of == SHAPE:
        return None, NONE, "it looks at features, not at labels"
    if wanted.of in (PROBABILITY, SCORE) and classes is not None and len(classes) != 2:
        return None, NONE, "predictions keep the probability of the predicted class only"
    found, truth = _outcomes(rows, classes), _values(rows["label"])
    value, reason = evaluation.value_of(wanted, found, truth)
    if value is None or not samples:
        return value, NONE, reason or None

    def weighted(_rows: Outcomes, counts: Floats) -> Floats:
        return np.array([evaluation.weighted_value(wanted, found, truth, row) for row in counts])

    nobody = Outcomes(np.zeros(rows.height), np.zeros(rows.height))
    interval = bootstrap_interval(Metric(wanted.function, weighted), nobody, samples=samples, seed=seed)
    return value, interval or NONE, None


def _outcomes(rows: pl.DataFrame, classes: Classes | None) -> evaluation.Outcomes:
    labels = _values(rows["prediction"])
    if classes is None:
        return evaluation.Outcomes(labels)
    known = [value if isinstance(value, str) else float(value) for value in classes]
    if len(known) != 2 or rows["probability"].null_count():
        return evaluation.Outcomes(labels, known)
    positive = rows["probability"].to_numpy()
    return evaluation.Outcomes(labels, known, np.column_stack([1 - positive, positive]), positive)


def _values(series: pl.Series) -> Any:
    """Texts as they are, whatever else as numbers: predictions are kept so."""
    return (series if series.dtype == pl.String else series.cast(pl.Float64)).to_numpy()
