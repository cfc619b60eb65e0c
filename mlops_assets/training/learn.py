"""One fitting: an estimator behind its feature steps, learned from some of the rows."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from mlops_assets.config.training import TrainingConfig
from mlops_assets.features.errors import FeatureError
from mlops_assets.features.transforms import FeatureSteps
from mlops_assets.training.errors import TrainingError
from mlops_assets.training.estimators import unsupported_weights
from mlops_assets.training.learnable import SUPERVISED
from mlops_assets.training.prepared import Data, Prepared
from mlops_assets.training.splits import Rows, between_instants
from mlops_assets.training.stretches import learn_in_stretches

CALIBRATION_FOLDS = 5


def unfitted(steps: FeatureSteps, made: Any, config: TrainingConfig) -> Any:
    """The scikit-learn pipeline of feature steps and estimator, its probabilities calibrated where asked for."""
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.pipeline import Pipeline

    from mlops_assets.features.labels import NumberedLabels

    if steps.categorical:
        made = made.set_params(categorical_features=list(range(steps.categorical)))
    if type(made).__name__ == "XGBClassifier":
        made = NumberedLabels(made)
    if config.calibration != "none":
        # One estimator, fitted on all rows; the calibration is learned from what others say of rows they have not seen.
        made = CalibratedClassifierCV(made, method=config.calibration, ensemble=False)
    return Pipeline([("features", steps.transformer), ("model", made)])


def learned(pipeline: Any, data: Data, rows: Rows, prepared: Prepared) -> Any:
    """A fitted copy of `pipeline`. Raises TrainingError for weights it does not take, rows of one class, and whatever
    its estimator refuses.
    """
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
    with _refusals(pipeline[-1], data, rows):
        if config.stretch_rows:
            learn_in_stretches(fresh, data, rows, weights, config)
        elif _stops_by_late_rows(fresh[-1], prepared):
            _learn_until_late(fresh, data, rows, weights, prepared)
        else:
            fresh.fit(data.table_of(rows), target, **{f"model__{name}": each for name, each in weights.items()})
    plain_preprocessor(fresh)
    if config.calibration != "none":
        # The model file does not keep row numbers.
        fresh[-1].cv = CALIBRATION_FOLDS
    return fresh


@contextmanager
def _refusals(final: Any, data: Data, rows: Rows) -> Iterator[None]:
    """What an estimator or a step says of rows that it cannot learn from becomes a TrainingError."""
    try:
        yield
    except (TrainingError, FeatureError):
        raise
    except Exception as error:
        # LightGBM's own error is none of Python's kinds.
        its_own = type(error).__module__.partition(".")[0] == type(final).__module__.partition(".")[0]
        if not (its_own or isinstance(error, ValueError)):
            raise
        endless = [
            name for name in data.inputs if data.rows[name].dtype.is_float() and data.rows[name].is_infinite().any()
        ]
        hint = (
            f"; {', '.join(endless)} contain infinity: clip it, or make it null in the data document" if endless else ""
        )
        reason = str(error).strip().splitlines()[0]
        raise TrainingError(
            f"algorithm: {type(final).__name__} cannot learn from the {len(rows)} training rows: {reason}{hint}"
        ) from error


def _stops_by_late_rows(final: Any, prepared: Prepared) -> bool:
    """Whether rows are split by time and the estimator takes those that tell it when to stop."""
    from sklearn.utils.validation import has_fit_parameter

    stops_early = prepared.config.early_stopping and prepared.method == "time"
    return stops_early and has_fit_parameter(final, "X_val") and isinstance(final.validation_fraction, float)


def _learn_until_late(pipeline: Any, data: Data, rows: Rows, weights: Mapping[str, Any], prepared: Prepared) -> None:
    """Fits `pipeline` in place on the earlier of `rows`; its last in time, cut between instants, tell when to stop.

    Rows of a class that no earlier row has are learned from as well. Raises TrainingError where no row is left to tell.
    """
    steps, final = pipeline[:-1], pipeline[-1]
    moments = prepared.rows[prepared.time].to_physical().to_numpy()[rows]
    order = np.argsort(moments, kind="stable")
    (cut,) = between_instants(moments[order], [round(len(order) * (1 - final.validation_fraction))])
    target, sample_weights, is_early = data.truth[rows], {}, np.zeros(len(rows), dtype=bool)
    is_early[order[:cut]] = True
    if prepared.config.model_type == "classification":
        is_early |= ~np.isin(target, target[is_early])
    early, late = np.flatnonzero(is_early), np.flatnonzero(~is_early)
    if not (len(early) and len(late)):
        raise TrainingError(f"early_stopping: the last of the {len(rows)} training rows in time cannot be set aside")
    if weights:
        sample_weights = {
            "sample_weight": weights["sample_weight"][early],
            "sample_weight_val": weights["sample_weight"][late],
        }
    made = steps.fit_transform(data.table_of(rows[early]), target[early])
    seen = steps.transform(data.table_of(rows[late]))
    final.fit(made, target[early], X_val=seen, y_val=target[late], **sample_weights)


def calibration_folds(rows: Rows, prepared: Prepared) -> list[tuple[Rows, Rows]]:
    """Positions in `rows` to learn from and to calibrate on; where rows are split by time, each fold is a stretch
    of it, cut between instants. Raises TrainingError where there is but one instant.
    """
    if prepared.method == "time":
        moments = prepared.rows[prepared.time].to_physical().to_numpy()[rows]
        order = np.argsort(moments, kind="stable")
        ends = np.cumsum([len(part) for part in np.array_split(order, CALIBRATION_FOLDS)])
        stretches = [
            part for part in np.split(order, between_instants(moments[order], ends[:-1].tolist())) if len(part)
        ]
        if len(stretches) < 2:
            raise TrainingError(f"calibration: the {len(rows)} training rows are of one instant, which is one fold")
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
    if field := unsupported_weights(config, final):
        raise TrainingError(f"{field}: {type(final).__name__} takes no weights")
    return {"sample_weight": weights}
