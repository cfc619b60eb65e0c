"""Permutation importance: what a model's score loses when one of its columns tells nothing any more."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl

from mlops_assets.features.frames import model_frame
from mlops_assets.training.bootstrap import statistic
from mlops_assets.training.evaluation import Outcomes, outcomes, value_of
from mlops_assets.training.fit import Fitted
from mlops_assets.training.learnable import SUPERVISED
from mlops_assets.training.metrics import metric
from mlops_assets.training.prepared import truth_of

FEWEST_ROWS, MOST_ROWS = 500, 1_000
ASKED = 10_000  # rows that a model is asked in all, of which every column takes as many
AT_ONCE = 50_000  # rows that a model is asked in one call


def permutation_importance(fitted: Fitted) -> dict[str, float]:
    """Raw column to the loss in the score (AUC of two classes, else accuracy; R²) when it is shuffled, largest first.

    Breiman 2001; one shuffle each, on held-out rows evenly over all: 1,000 of up to 10 columns, 500 of 20 and more.
    Empty where the score is undefined there, and for models that are neither classifiers nor regressors.
    """
    if fitted.said is None or fitted.config.model_type not in SUPERVISED:
        return {}
    most = min(max(ASKED // len(fitted.inputs), FEWEST_ROWS), MOST_ROWS)
    step = max(-(-fitted.held_out.height // most), 1)
    rows, whole = fitted.held_out.gather_every(step), fitted.said.at(slice(None, None, step))
    truth = truth_of(rows, fitted.config)
    wanted = metric(_score(whole, truth))
    best, _ = value_of(wanted, whole, truth)
    if best is None:
        return {}
    each_row_once = np.ones(rows.height)
    losses = [best - statistic(wanted, found, truth)(each_row_once) for found in _shuffled(fitted, rows)]
    return dict(sorted(zip(fitted.inputs, losses, strict=True), key=lambda pair: -pair[1]))


def _score(found: Outcomes, truth: Any) -> str:
    """AUC where both of two classes are there: accuracy does not move where one class is rare."""
    if found.classes is None:
        return "r2"
    both = len(found.classes) == 2 and len(np.unique(truth)) == 2 and found.scores is not None
    return "roc_auc" if both else "accuracy"


def _shuffled(fitted: Fitted, rows: pl.DataFrame) -> Iterator[Outcomes]:
    """What the model says of the rows with each of its columns shuffled; many columns are asked at once."""
    order = np.random.default_rng(fitted.config.random_seed).permutation(rows.height)
    several = max(AT_ONCE // max(rows.height, 1), 1)
    for start in range(0, len(fitted.inputs), several):
        tables = _variants(rows, fitted.inputs[start : start + several], order)
        found = outcomes(fitted.pipeline, model_frame(pl.concat(tables), fitted.inputs), fitted.config.model_type)
        yield from (found.at(np.arange(rows.height) + rows.height * place) for place in range(len(tables)))


def _variants(rows: pl.DataFrame, columns: Sequence[str], order: Any) -> list[pl.DataFrame]:
    return [rows.with_columns(rows[column].gather(order)) for column in columns]
