"""What an endpoint has to pass over HTTP before anything relies on it: each test asks it real questions."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_assets.serving.errors import InvalidInput, ServingError

if TYPE_CHECKING:
    import pandas

    from mlops_assets.config.deployment import GoldenRowsTest, LatencyTest, SchemaTest
    from mlops_assets.serving.client import TabularModelClient
    from mlops_assets.serving.model import ServedModel


@dataclass(frozen=True)
class Probe:
    """An endpoint, the model it should serve, and rows to ask it with (raw features, as callers send them)."""

    client: "TabularModelClient"
    endpoint: str
    model: "ServedModel"
    rows: "pandas.DataFrame"


@dataclass(frozen=True)
class TestResult:
    """One test's verdict, in a sentence, with its figures."""

    __test__ = False

    name: str
    passed: bool
    description: str
    figures: Mapping[str, float] = field(default_factory=dict)


def run_tests(probe: Probe, tests: Sequence[Any]) -> list[TestResult]:
    """The results of a deployment document's tests, in its order; an endpoint that fails to answer fails the test."""
    return [_guarded(probe, test) for test in tests if test.type in _TESTS]


def _guarded(probe: Probe, test: Any) -> TestResult:
    try:
        return _TESTS[test.type](probe, test)
    except ServingError as error:
        return TestResult(test.type, False, f"{type(error).__name__}: {error}")


def _schema(probe: Probe, test: "SchemaTest") -> TestResult:
    """A good row is answered; the same row without a column that the model needs is refused by that column's name."""
    row = probe.rows.head(1)
    answered = probe.client.predict(endpoint_name=probe.endpoint, features=row)
    missing = probe.model.columns[0].name
    try:
        probe.client.predict(endpoint_name=probe.endpoint, features=row.drop(columns=missing))
    except InvalidInput as refusal:
        named = missing in str(refusal)
        return TestResult("schema", len(answered) == 1 and named, f"a row without '{missing}' is refused: {refusal}")
    return TestResult("schema", False, f"a row without '{missing}' was answered, though the model needs it")


def _golden_rows(probe: Probe, test: "GoldenRowsTest") -> TestResult:
    """Held-out rows give over HTTP what the model gives in this process."""
    rows = probe.rows.head(test.rows)
    served = probe.client.predict(endpoint_name=probe.endpoint, features=rows)
    offline = probe.model.predict(rows)
    output = "probability" if "probability" in served.columns else "prediction"
    gap = np.abs(served[output].to_numpy(dtype=float) - np.array([answer[output] for answer in offline], dtype=float))
    worst = float(gap.max(initial=0.0))
    return TestResult(
        "golden_rows",
        len(served) == len(rows) and worst <= test.tolerance,
        f"{len(rows)} rows differ by at most {worst:.3g} ({test.tolerance:.3g} allowed)",
        {"rows": len(rows), "largest_difference": worst},
    )


def _latency(probe: Probe, test: "LatencyTest") -> TestResult:
    """The 95th percentile of single-row requests, one after another."""
    times = []
    for place in range(test.requests):
        row = probe.rows.iloc[[place % len(probe.rows)]]
        started = time.perf_counter()
        probe.client.predict(endpoint_name=probe.endpoint, features=row)
        times.append((time.perf_counter() - started) * 1000)
    p95 = float(np.percentile(times, 95))
    return TestResult(
        "latency",
        p95 <= test.p95_ms,
        f"95 % of {test.requests} requests took at most {p95:.0f} ms ({test.p95_ms:g} allowed)",
        {"p50_ms": float(np.percentile(times, 50)), "p95_ms": p95},
    )


_TESTS: Mapping[str, Callable[[Probe, Any], TestResult]] = {
    "schema": _schema,
    "golden_rows": _golden_rows,
    "latency": _latency,
}
