"""A plan's last step where it is linear, as data: weighted sums, for two classes with their probability.

Summed row by row: a product over many rows at a time differs in the last bit with the number of rows, and an answer
must not depend on who else asked.
"""

from math import exp, isfinite
from typing import Any, Literal

import numpy as np

from mlops_assets.serving.plan.blocks import Array, Part

Label = bool | int | float | str


class Linear(Part):
    """A regression: the sum and the intercept."""

    kind: Literal["linear"] = "linear"
    weights: Array
    intercept: float

    def __call__(self, matrix: Any) -> list[dict[str, Any]] | None:
        """One prediction per row; None where one is not finite: scikit-learn refuses it in its own words."""
        sums = _sums(matrix, self.weights, self.intercept)
        return None if sums is None else [{"prediction": value} for value in sums]


class Logistic(Part):
    """A classification in two: the second label where the sum is positive."""

    kind: Literal["logistic"] = "logistic"
    weights: Array
    intercept: float
    labels: tuple[Label, Label]

    def __call__(self, matrix: Any) -> list[dict[str, Any]] | None:
        """One prediction per row, with the second label's probability; None where a sum is not finite."""
        sums = _sums(matrix, self.weights, self.intercept)
        if sums is None:
            return None
        return [{"prediction": self.labels[value > 0], "probability": _chance(value)} for value in sums]


def _sums(matrix: Any, weights: Any, intercept: float) -> list[float] | None:
    sums = [float(np.dot(row, weights)) + intercept for row in matrix]
    return sums if all(map(isfinite, sums)) else None


def _chance(value: float) -> float:
    """The logistic function, by the C library's exponential as scipy.special.expit has it."""
    try:
        return 1 / (1 + exp(-value))
    except OverflowError:
        return 0.0
