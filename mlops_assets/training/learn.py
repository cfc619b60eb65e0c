"""One fitting: an estimator behind its feature steps, learned from some of the rows."""

from typing import Any

from mlops_assets.features.transforms import FeatureSteps
from mlops_assets.training.errors import TrainingError
from mlops_assets.training.prepared import SUPERVISED, Data, Prepared
from mlops_assets.training.splits import Rows


def unfitted(steps: FeatureSteps, made: Any) -> Any:
    """The scikit-learn pipeline of feature steps and estimator."""
    from sklearn.pipeline import Pipeline

    if steps.categorical:
        made = made.set_params(categorical_features=list(range(steps.categorical)))
    return Pipeline([("features", steps.transformer), ("model", made)])


def learned(pipeline: Any, data: Data, rows: Rows, prepared: Prepared) -> Any:
    """A fitted copy of `pipeline`. Raises TrainingError for weights it does not take, and rows of one class."""
    from sklearn.base import clone

    from mlops_assets.training.native import plain_preprocessor

    config, truth = prepared.config, data.truth[rows]
    if config.model_type == "classification" and len(set(truth.tolist())) < 2:
        raise TrainingError(f"target_column: the {len(rows)} training rows hold one class, {truth[0]!r}")
    target = truth if config.model_type in SUPERVISED else None
    weights = _weights(pipeline[-1], data, rows)
    return plain_preprocessor(clone(pipeline).fit(data.table.iloc[rows], target, **weights))


def _weights(final: Any, data: Data, rows: Rows) -> dict[str, Any]:
    from sklearn.utils.validation import has_fit_parameter

    if data.weights is None:
        return {}
    if not has_fit_parameter(final, "sample_weight"):
        raise TrainingError(f"sample_weight_column: {type(final).__name__} takes no weights")
    return {"model__sample_weight": data.weights[rows]}
