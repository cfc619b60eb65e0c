"""A fitted pipeline as few array operations: what scikit-learn computes for a row, without its cost per call.

The plan does the pipeline's own arithmetic in float64: lookups for texts, the scalers' subtractions and divisions,
the estimator's sums in their order. What it does not know it does not guess: a pipeline has no plan (`Unplanned`), or
a request goes the long way (`predict` gives None). Whether a plan may be used is for `plan_proof` to say.

A plan whose last step is linear is data from end to end: as JSON it goes to the gateway's process, which answers by it.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field

from mlops_assets.serving.plan.blocks import Block, Part, Step, Texts, after
from mlops_assets.serving.plan.columns import Unplanned, blocks_of, number_steps
from mlops_assets.serving.plan.finals import final_of
from mlops_assets.serving.plan.linear import Linear, Logistic
from mlops_assets.serving.signature import Column

if TYPE_CHECKING:
    from mlops_assets.serving.model import Prediction

# 2 MB of float64: a column of 500 texts, each with an output of its own.
MOST_NUMBERS = 250_000


class Plan(Part):
    """The blocks of columns side by side, then steps over the whole matrix, then the estimator."""

    columns: tuple[Column, ...]
    blocks: tuple[Block, ...]
    steps: tuple[Step, ...]
    final: Callable[[Any], Any]

    def predict(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> "list[Prediction] | None":
        """One prediction per row; None where a value is not of the plain kind, or a column is missing."""
        if not rows:
            return []
        matrix = self.matrix(dict(zip(columns, zip(*rows, strict=True), strict=True)), len(columns))
        return None if matrix is None else self.final(matrix)

    def matrix(self, given: dict[str, Sequence[Any]], width: int) -> Any:
        """What the estimator gets, shape (n, outputs); None where the plan does not fit."""
        if len(given) != width:
            return None
        for column in self.columns:
            if column.name not in given:
                return None
        parts = [block(given) for block in self.blocks]
        if any(part is None for part in parts):
            return None
        return after(self.steps, parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1))


class LinearPlan(Plan):
    """A plan that is data, and the same after its way through JSON."""

    final: Annotated[Linear | Logistic, Field(discriminator="kind")]

    @property
    def small(self) -> bool:
        """Whether its tables of texts take little memory."""
        lookups = [each for block in self.blocks if isinstance(block.source, Texts) for each in block.source.columns]
        return sum(int(each.outputs.size) for each in lookups) <= MOST_NUMBERS


def plan_of(estimator: Any, columns: Sequence[Column]) -> Plan:
    """The plan of a fitted pipeline; a linear one has been through JSON, as the gateway gets it.

    Raises:
        Unplanned: naming the part that has no plan.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline

    if not isinstance(estimator, Pipeline):
        raise Unplanned(f"a {type(estimator).__name__} that is no pipeline")
    first, *middle = [step for _, step in estimator.steps[:-1] if step not in (None, "passthrough")] or [None]
    if not isinstance(first, ColumnTransformer):
        raise Unplanned(f"a pipeline that begins with a {type(first).__name__}")
    final: Any = final_of(estimator.steps[-1][1])
    parts = {
        "columns": tuple(columns),
        "blocks": tuple(blocks_of(first, columns)),
        "steps": tuple(step for each in middle for step in number_steps(each)),
        "final": final,
    }
    if not isinstance(final, Part):
        return Plan.model_validate(parts)
    return LinearPlan.model_validate_json(LinearPlan.model_validate(parts).model_dump_json())
