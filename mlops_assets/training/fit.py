"""Training: from labelled rows to a fitted scikit-learn pipeline with its splits and metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any

import numpy as np
import polars as pl

from mlops_assets.config.features import FeatureConfig
from mlops_assets.config.training import TrainingConfig
from mlops_assets.training.estimators import estimator
from mlops_assets.training.evaluation import Evaluation, Outcomes, evaluate
from mlops_assets.training.learn import learned, unfitted
from mlops_assets.training.metrics import tracked
from mlops_assets.training.prepared import Data, Prepared, data_of, prepare
from mlops_assets.training.splits import Rows, Splits

TRAIN_SAMPLE = 10_000


@dataclass(frozen=True, eq=False)
class Fitted:
    """A fitted pipeline and how it came about.

    `evaluations` are per split, `folds` per cross-validation fold. `imputed` names the columns whose nulls
    are replaced with the training rows' median because the estimator takes none. `said` has the outcomes of the
    evaluated pipeline on the held-out rows, None if there are none.
    """

    prepared: Prepared
    pipeline: Any
    inputs: tuple[str, ...]
    evaluations: Mapping[str, Evaluation] = field(default_factory=dict)
    folds: Sequence[Evaluation] = ()
    imputed: tuple[str, ...] = ()
    seconds: float = 0.0
    said: Outcomes | None = None
    refitted: bool = False

    @property
    def config(self) -> TrainingConfig:
        """The document."""
        return self.prepared.config

    @property
    def rows(self) -> pl.DataFrame:
        """The labelled rows, sorted by key."""
        return self.prepared.rows

    @property
    def splits(self) -> Splits:
        """The numbers of the rows in each split."""
        return self.prepared.splits

    @property
    def dropped(self) -> int:
        """How many rows had no label."""
        return self.prepared.dropped

    @property
    def metrics(self) -> dict[str, float]:
        """`test_roc_auc`, `train_roc_auc`, `fold_0_roc_auc`, …: every metric that is defined."""
        named = {**self.evaluations, **{f"fold_{number}": each for number, each in enumerate(self.folds)}}
        return {
            f"{part}_{name}": value
            for part, evaluation in named.items()
            for name, value in evaluation.values.items()
            if value is not None
        }

    @property
    def measured(self) -> Evaluation | None:
        """The metrics on the rows the model is judged on, None if there are none."""
        return self.evaluations.get(self.splits.held_out)

    @property
    def held_out(self) -> pl.DataFrame:
        """The rows the model is judged on."""
        return self.rows[self.splits.rows[self.splits.held_out]]

    @property
    def trained_through(self) -> Any:
        """The newest time among the rows the model was fitted on; None if the rows have no time."""
        fitted_on = self.rows if self.refitted else self.rows[self.splits.rows["train"]]
        time = self.prepared.time
        return fitted_on[time].max() if time in fitted_on.columns else None


def fit(config: TrainingConfig, feature_config: FeatureConfig, frame: pl.DataFrame) -> Fitted:
    """Splits the labelled rows of `frame`, fits transforms and estimator on the train split, and evaluates every split.

    Raises TrainingError or FeatureError naming what does not fit: column, parameter, metric, too few rows.
    """
    started = perf_counter()
    prepared = prepare(config, feature_config, frame)
    config = prepared.config
    names = tracked(config)
    unfitted_estimator = estimator(config)
    steps, splits = prepared.steps(unfitted_estimator), prepared.splits
    data = data_of(prepared.rows, steps.inputs, config)
    pipeline = learned(unfitted(steps, unfitted_estimator, config), data, splits.rows["train"], prepared)
    measured_rows = {name: _measured_rows(name, part) for name, part in splits.rows.items() if len(part)}
    predictions = {name: data.said(pipeline, part, config) for name, part in measured_rows.items()}
    evaluations = {name: evaluate(predictions[name], data.truth[part], names) for name, part in measured_rows.items()}
    folds = prepared.folds(splits.rows["train"], config.cross_validation_folds)
    fold_evaluations = [_fold(pipeline, data, prepared, learn, check) for learn, check in folds]
    return Fitted(
        prepared,
        pipeline,
        steps.inputs,
        evaluations,
        fold_evaluations,
        steps.imputed,
        perf_counter() - started,
        predictions.get(splits.held_out),
    )


def _fold(pipeline: Any, data: Data, prepared: Prepared, learn: Rows, check: Rows) -> Evaluation:
    """The metrics of one fold; all undefined if the training rows of a classifier have only one class."""
    config, names = prepared.config, tracked(prepared.config)
    if config.model_type == "classification" and len(set(data.truth[learn].tolist())) < 2:
        return Evaluation(dict.fromkeys(names), dict.fromkeys(names, "the fold's training rows hold one class"))
    return data.measured(learned(pipeline, data, learn, prepared), check, config, names)


def refit(fitted: Fitted) -> Fitted:
    """The same pipeline fitted on all labelled rows; splits and metrics stay those of the evaluated model."""
    data = data_of(fitted.rows, fitted.inputs, fitted.config)
    everything = np.arange(fitted.rows.height)
    return replace(fitted, pipeline=learned(fitted.pipeline, data, everything, fitted.prepared), refitted=True)


def _measured_rows(name: str, part: Rows) -> Rows:
    """All rows of a split; a sample of the training split, whose metrics only show overfitting."""
    return part[:: max(-(-len(part) // TRAIN_SAMPLE), 1)] if name == "train" else part
