"""The endpoint's own Prometheus text: how many requests each served model had, and how many of them failed."""

from collections.abc import Mapping

from mlops_assets.serving.spec import Traffic

REQUESTS = ("request_count_total", "request_count")
FAILURES = ("request_5xx_count_total", "request_5xx_count")


def traffic_counts(text: str) -> Mapping[str, Traffic]:
    """Cumulative figures by served model name."""
    from prometheus_client.parser import text_string_to_metric_families

    requests: dict[str, int] = {}
    failed: dict[str, int] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            counts = requests if sample.name in REQUESTS else failed if sample.name in FAILURES else None
            served = sample.labels.get("served_model_name")
            if counts is not None and served:
                counts[served] = counts.get(served, 0) + int(sample.value)
    return {served: Traffic(count, failed.get(served, 0)) for served, count in requests.items()}
