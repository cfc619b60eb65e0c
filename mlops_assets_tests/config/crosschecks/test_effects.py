"""What a deployment document asks for in vain is told, with its place, when it is loaded."""

from collections.abc import Callable

import pytest

from mlops_assets.config import Project
from mlops_assets.config.deployment import MAX_TIMEOUT_SECONDS
from mlops_assets.serving import protocol
from mlops_assets_tests.config import documents

Load = Callable[[dict[str, str | None]], Project]
ENDPOINT, BATCH = documents.DEPLOYMENT, documents.DEPLOYMENT.replace("serving_endpoint", "batch")


def warnings(load: Load, text: str) -> list[str]:
    return [
        each.removeprefix("air/deployment.yaml:") for each in load(documents.WHOLE | {"deployment.yaml": text}).warnings
    ]


@pytest.mark.parametrize(
    ("document", "fields", "told"),
    [
        (BATCH, "rollout: {strategy: canary}", ["5:1: rollout: has no effect: a deployment of type 'batch'"]),
        (BATCH, "requests_per_minute: 3", ["5:22: requests_per_minute: has no effect"]),
        (BATCH, "autoscaling_enabled: true", ["5:22: autoscaling_enabled: has no effect"]),
        (BATCH, "tests: [{type: load}]", ["5:1: tests: has no effect"]),
        (BATCH, "tests: []", []),
        (ENDPOINT, "min_replicas: 0", ["5:15: min_replicas: 0 has no effect without autoscaling_enabled"]),
        (ENDPOINT, "min_replicas: 0\nmax_replicas: 2\nautoscaling_enabled: true", []),
        (ENDPOINT, "max_replicas: 2", ["5:15: max_replicas: has no effect without autoscaling_enabled"]),
        (ENDPOINT, "min_replicas: 2\nmax_replicas: 2", []),
        (
            ENDPOINT,
            "inference_log: {enabled: false, hash_columns: [hour]}",
            ["5:33: inference_log.hash_columns: has no effect: the log is not enabled"],
        ),
        (
            ENDPOINT,
            "rollout: {shadow_percentage: 50, increments: [5]}",
            ["5:34: rollout.increments: has no effect with strategy 'all_at_once'", "5:30: rollout.shadow_percentage"],
        ),
        (ENDPOINT, "rollout: {strategy: blue_green, increments: [5]}", ["5:33: rollout.increments: has no effect"]),
        (ENDPOINT, "rollout: {strategy: canary, increments: [5], shadow_percentage: 50}", []),
        (ENDPOINT, "tests: []", ["5:1: tests: an empty list: nothing is asked of a version"]),
    ],
)
def test_what_is_said_in_vain_is_told(load: Load, document: str, fields: str, told: list[str]) -> None:
    found = warnings(load, f"{document}{fields}\n")

    assert len(found) == len(told)
    for sentence, start in zip(found, told, strict=True):
        assert sentence.startswith(start)


def test_an_endpoint_takes_the_timeouts_that_a_document_may_ask_for() -> None:
    assert protocol.MAX_TIMEOUT_SECONDS == MAX_TIMEOUT_SECONDS
