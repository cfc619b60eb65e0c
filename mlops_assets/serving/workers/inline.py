"""Answers that the gateway gives in its own process: by a proven linear plan, without the way to a worker and back.

The plan is the one that its worker has proven, on the same machine and by the same functions. Whatever it does not
answer, the worker does, refusals included.
"""

from mlops_assets.serving.payload import PayloadError, parse, predictions_body, table
from mlops_assets.serving.plan.pipeline import LinearPlan
from mlops_assets.serving.workers.frames import Frame

# A larger request would hold up the others; this one takes less than a hundred rows.
MOST_BYTES = 32 << 10


class Inline:
    """A version's plan in the gateway."""

    def __init__(self, plan: str) -> None:
        """`plan` is the JSON of a LinearPlan."""
        self._plan = LinearPlan.model_validate_json(plan)
        self._names = [column.name for column in self._plan.columns]

    def answer(self, body: bytes) -> Frame | None:
        """The answer to one request's body; None where the worker has to give it."""
        if len(body) > MOST_BYTES:
            return None
        try:
            columns, rows = table(parse(body), self._names)
        except PayloadError:
            return None
        predictions = self._plan.predict(columns, rows)
        return None if predictions is None else Frame(0, 200, len(rows), predictions_body(predictions))
