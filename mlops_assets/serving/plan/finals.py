"""From a fitted estimator to the last step of a plan: its own sums over a matrix of float64, without its checks.

Linear models are data. Trees are the estimator's own, and give a row the same answer in any company.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_assets.serving.plan.columns import Unplanned
from mlops_assets.serving.plan.linear import Linear, Logistic

if TYPE_CHECKING:
    from mlops_assets.serving.model import Prediction

Final = Callable[[Any], "list[Prediction] | None"]


def final_of(estimator: Any) -> Final:
    """The estimator's predictions for a matrix. Raises Unplanned for an unsupported estimator."""
    from sklearn import ensemble, linear_model

    match estimator:
        case linear_model.LogisticRegression() if len(estimator.classes_) == 2:
            return Logistic(
                weights=estimator.coef_[0], intercept=estimator.intercept_[0], labels=tuple(estimator.classes_.tolist())
            )
        case linear_model.LinearRegression() | linear_model.Ridge() | linear_model.ElasticNet():
            if estimator.coef_.ndim == 1:
                return Linear(weights=estimator.coef_, intercept=estimator.intercept_)
        case ensemble.HistGradientBoostingClassifier():
            return _boosted_classes(estimator)
        case ensemble.HistGradientBoostingRegressor():
            return _boosted_numbers(estimator)
    return _graph(estimator)


def _graph(estimator: Any) -> Final:
    """An ONNX graph as it is. Raises Unplanned where it is none."""
    from mlops_assets.serving.model import finished
    from mlops_assets.serving.onnx import OnnxEstimator

    if not isinstance(estimator, OnnxEstimator):
        raise Unplanned(f"a {type(estimator).__name__}")
    classes = estimator.classes_.tolist() if hasattr(estimator, "classes_") else None
    return lambda matrix: finished(estimator, matrix, classes)


def row_by_row(estimator: Any) -> bool:
    """Whether the estimator's answer for a row hangs, in its last bit, on how many rows it gets."""
    return hasattr(estimator, "coef_")


def _boosted_classes(estimator: Any) -> Final:
    from mlops_assets.serving.model import classified

    raw = _raw(estimator)
    classes, loss = estimator.classes_, estimator._loss
    labels = classes.tolist()

    def final(matrix: Any) -> "list[Prediction]":
        scores = raw(matrix)
        found = (scores.ravel() > 0).astype(int) if scores.shape[1] == 1 else np.argmax(scores, axis=1)
        return classified(classes[found].tolist(), loss.predict_proba(scores).tolist(), labels)

    return final


def _boosted_numbers(estimator: Any) -> Final:
    raw, inverse = _raw(estimator), estimator._loss.link.inverse
    return lambda matrix: [{"prediction": value} for value in inverse(raw(matrix).ravel()).tolist()]


def _raw(estimator: Any) -> Callable[[Any], Any]:
    """The sum of the trees' leaves, shape (n, trees per round)."""
    known, places = estimator._bin_mapper.make_known_categories_bitsets()
    trees = [(column, tree) for each in estimator._predictors for column, tree in enumerate(each)]
    baseline, width = estimator._baseline_prediction, estimator.n_trees_per_iteration_
    encode = _encoding(estimator)

    def raw(matrix: Any) -> Any:
        encoded = encode(matrix)
        sums = np.zeros((len(matrix), width), dtype=baseline.dtype, order="F")
        sums += baseline
        for column, tree in trees:
            sums[:, column] += tree.predict(encoded, known, places, 1)
        return sums

    return raw


def _encoding(estimator: Any) -> Callable[[Any], Any]:
    """The estimator's own numbering of its categories: these columns first, an unseen one is NaN."""
    preprocessor = estimator._preprocessor
    if preprocessor is None:
        return lambda matrix: matrix
    mask = np.asarray(estimator.is_categorical_)
    order = np.concatenate([np.flatnonzero(mask), np.flatnonzero(~mask)])
    encoder = preprocessor.named_transformers_["encoder"]
    known = [np.asarray(each, dtype=np.float64) for each in encoder.categories_]
    known = [each[~np.isnan(each)] for each in known]

    def encode(matrix: Any) -> Any:
        made = matrix[:, order]
        for place, values in enumerate(known):
            column = made[:, place]
            found = np.minimum(np.searchsorted(values, column), max(len(values) - 1, 0))
            made[:, place] = np.where(values[found] == column, found, np.nan) if len(values) else np.nan
        return made

    return encode
