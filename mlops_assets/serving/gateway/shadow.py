"""Shadow traffic: requests are also put to versions that take none, and their answers are only compared.

Two predictions agree where they are equal or, for numbers and probabilities, within TOLERANCE of each other.
"""

import asyncio
import json
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from mlops_assets.serving.gateway.endpoint_state import Endpoint
from mlops_assets.serving.gateway.invocations import Answer
from mlops_assets.serving.workers.frames import Frame
from mlops_assets.serving.workers.link import WorkerGone
from mlops_assets.serving.workers.replicas import Replicas

TOLERANCE = 0.05
# Shadow requests under way at a time; beyond it they are left out and counted, so that real ones do not wait.
MOST_AT_A_TIME = 16
EXAMPLES = 5


@dataclass
class Agreement:
    """What was compared between a version that answers and one in its shadow.

    `examples` are pairs of differing predictions, never inputs.
    """

    requests: int = 0
    rows: int = 0
    agreeing_rows: int = 0
    errors: int = 0
    left_out: int = 0
    largest_difference: float = 0.0
    examples: deque[Any] = field(default_factory=lambda: deque(maxlen=EXAMPLES))

    @property
    def agreement(self) -> float | None:
        """The share of rows that agree, None where none was compared."""
        return self.agreeing_rows / self.rows if self.rows else None

    def note(self, given: list[Any], shadow: list[Any]) -> None:
        """Compare two lists of predictions for the same rows."""
        self.requests += 1
        for ours, theirs in zip(given, shadow, strict=True):
            gap = difference(ours, theirs)
            self.rows += 1
            self.agreeing_rows += gap <= TOLERANCE
            self.largest_difference = max(self.largest_difference, gap)
            if gap > TOLERANCE:
                self.examples.append([ours, theirs])

    def describe(self) -> dict[str, Any]:
        """The figures as JSON."""
        return {**asdict(self), "examples": list(self.examples), "agreement": self.agreement}


class Shadows:
    """The comparisons of a gateway, by endpoint and by the names of the two versions."""

    def __init__(self) -> None:
        self._found: dict[str, dict[tuple[str, str], Agreement]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def compare(self, endpoint: Endpoint, given: Answer, body: bytes) -> None:
        """Put an answered request to the endpoint's shadows as well, behind the answer."""
        assert endpoint.serving is not None
        assert given.version is not None
        for version in endpoint.serving.shadows():
            names = (given.version.entity.name, version.entity.name)
            agreement = self._found.setdefault(endpoint.record.name, {}).setdefault(names, Agreement())
            if len(self._tasks) >= MOST_AT_A_TIME:
                agreement.left_out += 1
                continue
            seconds = endpoint.record.settings.timeout_seconds
            task = asyncio.create_task(_ask(version, body, given.body, agreement, seconds))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def describe(self, endpoint: str) -> list[dict[str, Any]]:
        """The endpoint's comparisons: the two versions' names and the figures."""
        found = self._found.get(endpoint, {})
        return [
            {"served_model_name": ours, "shadow_model_name": theirs, **each.describe()}
            for (ours, theirs), each in found.items()
        ]


def difference(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> float:
    """How far two predictions are apart: their probabilities (that of each class, where there are more than two) or
    numbers, else 0 or 1 for labels.
    """
    each, other = ours.get("probabilities"), theirs.get("probabilities")
    if isinstance(each, Mapping) and isinstance(other, Mapping):
        return max(abs(float(each.get(label, 0)) - float(other.get(label, 0))) for label in {*each, *other})
    one, two = _figure(ours), _figure(theirs)
    if not isinstance(one, (int, float)) or not isinstance(two, (int, float)):
        return 0.0 if one == two else 1.0
    # Of two classes the labels differ where the probabilities lie on either side of a half; else the labels are others.
    if "probability" in ours and ours.get("prediction") != theirs.get("prediction") and (one > 0.5) == (two > 0.5):
        return 1.0
    return abs(float(one) - float(two))


async def _ask(version: Replicas, body: bytes, given: bytes, agreement: Agreement, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            frame: Frame | None = version.at_once(body) or await version.ask(body)
    except (WorkerGone, TimeoutError):
        frame = None
    if frame is None or frame.status != 200:
        agreement.errors += 1
        return
    agreement.note(json.loads(given)["predictions"], json.loads(frame.body)["predictions"])


def _figure(prediction: Mapping[str, Any]) -> Any:
    return prediction.get("probability", prediction.get("prediction"))
