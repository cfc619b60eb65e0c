"""Observes a version as it takes traffic: sends the same rows to it and to the old one, and counts real requests.

After ENOUGH rows the criteria are evaluated at every step, so that a failing version is not kept for the whole period.
A criterion on the number of requests is evaluated at the end of the period.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_assets.serving.errors import ServingError
from mlops_assets.serving.gateway.shadow import TOLERANCE, difference
from mlops_assets.serving.spec import Endpoints

if TYPE_CHECKING:
    import pandas

    from mlops_assets.config.rollout import RolloutConfig

LOOKS = 200
ENOUGH = 30
SHORTEST_PAUSE = 0.02


@dataclass(frozen=True)
class Verdict:
    """The figures by rollout metric, and a sentence for each criterion that did not hold."""

    figures: Mapping[str, float]
    broken: Sequence[str] = ()


@dataclass
class Watch:
    """Observes version `new` alongside `old` at one endpoint; `rows` are raw features that are sent to both."""

    endpoints: Endpoints
    endpoint: str
    old: str
    new: str
    rows: "pandas.DataFrame"
    _times: dict[str, list[float]] = field(default_factory=lambda: {"old": [], "new": []})
    _errors: int = 0
    _compared: int = 0
    _agreeing: int = 0
    _last_error: str = ""

    def judge(self, config: "RolloutConfig") -> Verdict:
        """Observe for the evaluation period, or until a criterion fails that more requests could not change."""
        period, criteria = config.evaluation_period.total_seconds(), config.success_criteria
        begun, before = time.monotonic(), self._traffic()
        looks = 0
        while looks < ENOUGH or time.monotonic() - begun < period:
            self._look(looks)
            looks += 1
            if looks >= ENOUGH:
                figures = self._figures(before)
                if broken := failed_for_good(criteria, figures):
                    return self._verdict(figures, broken)
            time.sleep(max(SHORTEST_PAUSE, period / LOOKS))
        figures = self._figures(before)
        return self._verdict(figures, unmet_criteria(criteria, figures))

    def _look(self, number: int) -> None:
        row = self.rows.iloc[[number % len(self.rows)]]
        old = self._ask("old", self.old, row)
        new = self._ask("new", self.new, row)
        if new is None:
            self._errors += 1
        elif old is not None:
            self._compared += 1
            self._agreeing += difference(old, new) <= TOLERANCE

    def _ask(self, which: str, served: str, row: "pandas.DataFrame") -> Mapping[str, Any] | None:
        start = time.perf_counter()
        try:
            predictions = self.endpoints.ask(self.endpoint, row, served)
        except ServingError as error:
            self._last_error = f"{which} version: {error}"
            return None
        finally:
            self._times[which].append((time.perf_counter() - start) * 1000)
        return {str(name): value for name, value in predictions.iloc[0].items()}

    def _traffic(self) -> tuple[int, int]:
        found = self.endpoints.traffic(self.endpoint).get(self.new)
        return (found.requests, found.failed) if found else (0, 0)

    def _figures(self, before: tuple[int, int]) -> Mapping[str, float]:
        now = self._traffic()
        start = before if now[0] >= before[0] else (0, 0)  # the counts of a restarted gateway begin at 0
        requests, failed = now[0] - start[0], now[1] - start[1]
        asked_rows = len(self._times["new"])
        (p50, p95), (old50, old95) = (np.percentile(self._times[which], [50, 95]) for which in ("new", "old"))
        figures = {
            "error_rate": max(self._errors / asked_rows, failed / requests if requests else 0.0),
            "latency_p50_ms": float(p50),
            "latency_p95_ms": float(p95),
            "latency_p50_ratio": float(p50 / old50),
            "latency_p95_ratio": float(p95 / old95),
            "requests": float(max(requests, asked_rows)),
        }
        if self._compared:
            figures["agreement"] = self._agreeing / self._compared
        return figures

    def _verdict(self, figures: Mapping[str, float], broken: Sequence[str]) -> Verdict:
        cause = f" (last error, {self._last_error})" if self._last_error else ""
        return Verdict(figures, [f"{sentence}{cause}" for sentence in broken])


def failed_for_good(criteria: Sequence[str], figures: Mapping[str, float]) -> list[str]:
    """A sentence for each criterion that does not hold, and would not with any number of requests."""
    at_the_end = {**figures, "requests": inf}
    return [
        sentence
        for each in criteria
        if unmet_criteria([each], at_the_end)
        for sentence in unmet_criteria([each], figures)
    ]


def unmet_criteria(criteria: Sequence[str], figures: Mapping[str, float]) -> list[str]:
    """A sentence for each criterion that does not hold for the figures; an unknown figure fails its criterion."""
    import polars as pl

    from mlops_assets.config.rollout import ROLLOUT_METRICS
    from mlops_assets.rules import columns, evaluate, parse

    row = pl.DataFrame({name: pl.Series([figures.get(name)], dtype=pl.Float64) for name in ROLLOUT_METRICS})
    sentences = []
    for criterion in criteria:
        if not evaluate(criterion, row)[0]:
            named = sorted(columns(parse(criterion)))
            values = [f"{each} is {figures[each]:.4g}" if each in figures else f"{each} is unknown" for each in named]
            sentences.append(f"'{criterion}' does not hold: {', '.join(values)}")
    return sentences
