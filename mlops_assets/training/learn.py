"""One fitting: an estimator behind its feature steps, learned from some of the rows."""

from typing import Any

import numpy as np

from mlops_assets.config.training import TrainingConfig
from mlops_assets.features.transforms import FeatureSteps
from mlops_assets.training.errors import TrainingError
from mlops_assets.training.estimators import weighing
from mlops_assets.training.learnable import SUPERVISED
from mlops_assets.training.prepared import Data, Prepared
from mlops_assets.training.splits import Rows
from mlops_assets.training.stretches import learn_in_stretches

CALIBRATION_FOLDS = 5


def unfitted(steps: FeatureSteps, made: Any, config: TrainingConfig) -> Any:
    """The scikit-learn pipeline of feature steps and estimator, its probabilities calibrated where asked for."""
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.pipeline import Pipeline

    if steps.categorical:
        made = made.set_params(categorical_features=list(range(steps.categorical)))
    if config.calibration != "none":
        # One estimator, fitted on all rows; the calibration is learned from what others say of rows they have not seen.
        made = CalibratedClassifierCV(made, method=config.calibration, ensemble=False)
    return Pipeline([("features", steps.transformer), ("model", made)])


def learned(pipeline: Any, data: Data, rows: Rows, prepared: Prepared) -> Any:
    """A fitted copy of `pipeline`. Raises TrainingError for weights it does not take, and rows of one class."""
    from sklearn.base import clone

    from mlops_assets.training.native import plain_preprocessor

    config, truth = prepared.config, data.truth[rows]
    if config.model_type == "classification" and len(set(truth.tolist())) < 2:
        raise TrainingError(f"target_column: the {len(rows)} training rows hold one class, {truth[0]!r}")
    target = truth if config.model_type in SUPERVISED else None
    weights = _weights(pipeline[-1], data, rows, prepared)
    fresh = clone(pipeline)
    if config.calibration != "none":
        fresh[-1].cv = calibration_folds(rows, prepared)
    if config.stretch_rows:
        learn_in_stretches(fresh, data, rows, weights, config)
    else:
        fresh.fit(data.table_of(rows), target, **{f"model__{name}": each for name, each in weights.items()})
    plain_preprocessor(fresh)
    if config.calibration != "none":
        # The model file does not keep row numbers.
        fresh[-1].cv = CALIBRATION_FOLDS
    return fresh


def calibration_folds(rows: Rows, prepared: Prepared) -> list[tuple[Rows, Rows]]:
    """Positions in `rows` to learn from and to calibrate on; where rows are split by time, each fold is a stretch
    of it.
    """
    if prepared.method == "time":
        order = np.argsort(prepared.rows[prepared.time].to_physical().to_numpy()[rows], kind="stable")
        stretches = np.array_split(order, CALIBRATION_FOLDS)
        return [(np.setdiff1d(order, stretch), np.sort(stretch)) for stretch in stretches]
    position = np.empty(prepared.rows.height, dtype=np.int64)
    position[rows] = np.arange(len(rows))
    return [(position[inside], position[check]) for inside, check in prepared.folds(rows, CALIBRATION_FOLDS)]


def _weights(final: Any, data: Data, rows: Rows, prepared: Prepared) -> dict[str, Any]:
    from sklearn.utils.class_weight import compute_sample_weight

    config = prepared.config
    weights = None if data.weights is None else data.weights[rows]
    if config.class_balance == "balanced":
        balance = compute_sample_weight("balanced", data.truth[rows])
        weights = balance if weights is None else balance * weights
    if weights is None:
        return {}
    final = final.estimator if config.calibration != "none" else final
    if field := weighing(config, final):
        raise TrainingError(f"{field}: {type(final).__name__} takes no weights")
    return {"sample_weight": weights}
