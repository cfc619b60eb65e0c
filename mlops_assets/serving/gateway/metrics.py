"""The gateway's Prometheus metrics: one registry per gateway.

What every request counts is plain numbers of the one thread that answers; they become samples when they are asked for.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from mlops_assets.serving.gateway.endpoint_state import Endpoint

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


@dataclass(slots=True)
class _Series:
    """What a version has answered with one status: requests by bucket of their latency, rows, seconds."""

    buckets: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    rows: int = 0
    seconds: float = 0.0


class Metrics:
    """Requests, rows and latency by endpoint and version, and the state of the endpoints when asked."""

    def __init__(self, endpoints: Callable[[], Iterable[Endpoint]]) -> None:
        self.registry = CollectorRegistry()
        self._series: dict[tuple[str, str, int], _Series] = {}
        self.registry.register(_Answered(self._series))
        self.registry.register(_EndpointStates(endpoints))

    def observe(self, endpoint: str, served_model: str, status: int, rows: int, seconds: float) -> None:
        """Count one answered request."""
        named = (endpoint, served_model, status)
        series = self._series.get(named)
        if series is None:
            series = self._series[named] = _Series()
        series.buckets[bisect_left(BUCKETS, seconds)] += 1
        series.rows += rows
        series.seconds += seconds

    def text(self) -> bytes:
        """The exposition Prometheus scrapes."""
        return generate_latest(self.registry)


class _Answered(Collector):
    def __init__(self, series: dict[tuple[str, str, int], _Series]) -> None:
        self._series = series

    def collect(self) -> Iterator[Metric]:
        """What was answered so far."""
        labels = ["endpoint", "served_model"]
        requests = CounterMetricFamily("mlops_gateway_requests", "Answered invocations", labels=[*labels, "status"])
        rows = CounterMetricFamily("mlops_gateway_rows", "Rows predicted", labels=labels)
        meaning = "Seconds from the request's last byte to its answer"
        seconds = HistogramMetricFamily("mlops_gateway_request_seconds", meaning, labels=labels)
        for (endpoint, served_model, status), series in self._series.items():
            requests.add_metric([endpoint, served_model, str(status)], sum(series.buckets))
        for named, series in self._by_version().items():
            rows.add_metric(named, series.rows)
            bounds = [*map(floatToGoString, BUCKETS), "+Inf"]
            counts = list(zip(bounds, accumulate(series.buckets), strict=True))
            seconds.add_metric(named, counts, series.seconds)
        yield from (requests, rows, seconds)

    def _by_version(self) -> dict[tuple[str, str], _Series]:
        found: dict[tuple[str, str], _Series] = {}
        for (endpoint, served_model, _), series in self._series.items():
            whole = found.setdefault((endpoint, served_model), _Series())
            whole.buckets = [one + other for one, other in zip(whole.buckets, series.buckets, strict=True)]
            whole.rows += series.rows
            whole.seconds += series.seconds
        return found


class _EndpointStates(Collector):
    def __init__(self, endpoints: Callable[[], Iterable[Endpoint]]) -> None:
        self._endpoints = endpoints

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Readiness, restarts and running requests, read now."""
        ready = GaugeMetricFamily("mlops_gateway_endpoint_ready", "1 where it can answer", labels=["endpoint"])
        labels = ["endpoint", "served_model"]
        restarts = GaugeMetricFamily("mlops_gateway_worker_restarts", "Workers that died", labels=labels)
        running = GaugeMetricFamily("mlops_gateway_requests_in_flight", "Requests under way", labels=labels)
        workers = GaugeMetricFamily("mlops_gateway_workers", "Processes", labels=labels)
        for endpoint in self._endpoints():
            name = endpoint.record.name
            ready.add_metric([name], float(endpoint.ready))
            for version in endpoint.serving.versions if endpoint.serving else ():
                restarts.add_metric([name, version.entity.name], version.restarts)
                running.add_metric([name, version.entity.name], version.in_flight)
                workers.add_metric([name, version.entity.name], len(version.workers))
        yield from (ready, restarts, running, workers)
