"""What an endpoint has to pass over HTTP before anything relies on it: each test asks it real questions."""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from mlops_assets.serving.errors import InvalidInput, ServingError
from mlops_assets.serving.gateway.shadow import difference
from mlops_assets.serving.signature import SignatureError

if TYPE_CHECKING:
    import pandas

    from mlops_assets.config.endpoint_tests import GoldenRowsTest, InvarianceTest, LatencyTest, LoadTest, SchemaTest
    from mlops_assets.serving.model import ServedModel


@dataclass(frozen=True)
class Probe:
    """How to ask the version under test, the model it should be, and rows to ask it with: raw features, as callers send
    them, and whatever other columns the rows have.
    """

    ask: Callable[["pandas.DataFrame"], "pandas.DataFrame"]
    model: "ServedModel"
    rows: "pandas.DataFrame"

    @property
    def inputs(self) -> "pandas.DataFrame":
        """The rows as the model takes them."""
        return self.rows[list(self.model.inputs)]


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
    return [_guarded(probe, test) for test in tests]


def _guarded(probe: Probe, test: Any) -> TestResult:
    try:
        return _TESTS[test.type](probe, test)
    except (ServingError, SignatureError) as error:
        return TestResult(test.type, False, f"{type(error).__name__}: {error}")


def _schema(probe: Probe, test: "SchemaTest") -> TestResult:
    """A good row is answered; the same row without a column that the model needs is refused by that column's name."""
    row = probe.inputs.head(1)
    answered = probe.ask(row)
    missing = probe.model.columns[0].name
    try:
        probe.ask(row.drop(columns=missing))
    except InvalidInput as refusal:
        named = missing in str(refusal)
        return TestResult("schema", len(answered) == 1 and named, f"a row without '{missing}' is refused: {refusal}")
    return TestResult("schema", False, f"a row without '{missing}' was answered, though the model needs it")


def _golden_rows(probe: Probe, test: "GoldenRowsTest") -> TestResult:
    """Held-out rows give over HTTP what the model gives in this process."""
    rows = probe.inputs.head(test.rows)
    served = probe.ask(rows)
    offline = probe.model.predict(rows)
    worst = _largest_difference(_records(served), offline)
    return TestResult(
        "golden_rows",
        len(served) == len(rows) and worst <= test.tolerance,
        f"{len(rows)} rows differ by at most {worst:.3g} ({test.tolerance:.3g} allowed)",
        {"rows": len(rows), "largest_difference": worst},
    )


def _latency(probe: Probe, test: "LatencyTest") -> TestResult:
    """The 95th percentile of single-row requests, one after another."""
    rows = probe.inputs
    times = [_milliseconds(probe, rows.iloc[[place % len(rows)]]) for place in range(test.requests)]
    p95 = float(np.percentile(times, 95))
    return TestResult(
        "latency",
        p95 <= test.p95_ms,
        f"95 % of {test.requests} requests took at most {p95:.0f} ms ({test.p95_ms:g} allowed by p95_ms)",
        {"p50_ms": float(np.percentile(times, 50)), "p95_ms": p95},
    )


def _load(probe: Probe, test: "LoadTest") -> TestResult:
    """Every request of so many callers at once, one row each, is answered."""
    rows, until = probe.inputs, time.monotonic() + test.seconds
    times: list[float] = []
    refused: list[str] = []

    def call(first: int) -> None:
        place = first
        while time.monotonic() < until:
            try:
                times.append(_milliseconds(probe, rows.iloc[[place % len(rows)]]))
            except ServingError as error:
                refused.append(f"{type(error).__name__}: {error}")
            place += test.connections

    with ThreadPoolExecutor(test.connections) as callers:
        for done in [callers.submit(call, first) for first in range(test.connections)]:
            done.result()
    requests = len(times) + len(refused)
    first = f"; the first refusal: {refused[0]}" if refused else ""
    return TestResult(
        "load",
        bool(times) and not refused,
        f"{len(refused)} of {requests} requests over {test.connections} connections failed{first}",
        {
            "requests_per_second": len(times) / test.seconds,
            "failed": len(refused),
            "p95_ms": float(np.percentile(times or [float("nan")], 95)),
        },
    )


def _invariance(probe: Probe, test: "InvarianceTest") -> TestResult:
    """The same rows with the values of some columns exchanged between them are answered alike."""
    rows = probe.rows
    unknown = [name for name in test.columns if name not in rows.columns]
    if unknown:
        return TestResult("invariance", False, f"the rows have no column '{unknown[0]}'")
    changed = rows.copy()
    for name in test.columns:
        changed[name] = rows[name].sample(frac=1, random_state=0).to_numpy()
    names = [*probe.model.inputs]
    worst = _largest_difference(_records(probe.ask(rows[names])), _records(probe.ask(changed[names])))
    return TestResult(
        "invariance",
        worst <= test.tolerance,
        f"exchanging {', '.join(test.columns)} between {len(rows)} rows changes predictions by at most {worst:.3g} "
        f"({test.tolerance:.3g} allowed)",
        {"rows": len(rows), "largest_difference": worst},
    )


def _milliseconds(probe: Probe, row: "pandas.DataFrame") -> float:
    started = time.perf_counter()
    probe.ask(row)
    return (time.perf_counter() - started) * 1000


def _records(predictions: "pandas.DataFrame") -> list[dict[str, Any]]:
    return [{str(name): value for name, value in each.items()} for each in predictions.to_dict("records")]


def _largest_difference(ones: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]]) -> float:
    return max((difference(one, other) for one, other in zip(ones, others, strict=True)), default=0.0)


_TESTS: Mapping[str, Callable[[Probe, Any], TestResult]] = {
    "schema": _schema,
    "golden_rows": _golden_rows,
    "latency": _latency,
    "load": _load,
    "invariance": _invariance,
}
