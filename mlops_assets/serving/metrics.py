"""The gateway's Prometheus metrics: one registry per gateway."""

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from mlops_assets.serving.endpoint_state import Endpoint

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Metrics:
    """Requests, rows and latency by endpoint and version, and the state of the endpoints when asked."""

    def __init__(self, endpoints: Callable[[], Iterable[Endpoint]]) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "mlops_gateway_requests",
            "Answered invocations",
            ["endpoint", "served_model", "status"],
            registry=self.registry,
        )
        self.rows = Counter(
            "mlops_gateway_rows", "Rows predicted", ["endpoint", "served_model"], registry=self.registry
        )
        self.seconds = Histogram(
            "mlops_gateway_request_seconds",
            "Seconds from the request's last byte to its answer",
            ["endpoint", "served_model"],
            buckets=BUCKETS,
            registry=self.registry,
        )
        self.registry.register(_EndpointStates(endpoints))
        self._series: dict[tuple[str, str, int], tuple[Counter, Counter, Histogram]] = {}

    def observe(self, endpoint: str, served_model: str, status: int, rows: int, seconds: float) -> None:
        """Count one answered request."""
        named = (endpoint, served_model, status)
        series = self._series.get(named)
        if series is None:
            series = self._series[named] = (
                self.requests.labels(endpoint, served_model, str(status)),
                self.rows.labels(endpoint, served_model),
                self.seconds.labels(endpoint, served_model),
            )
        series[0].inc()
        series[1].inc(rows)
        series[2].observe(seconds)

    def text(self) -> bytes:
        """The exposition Prometheus scrapes."""
        return generate_latest(self.registry)


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
