"""What a deployment's run tells of a rollout that did not pass."""

from dataclasses import replace

import pytest

from mlops_assets.assets.verdicts import failure_reasons
from mlops_assets.registry import ModelVersion
from mlops_assets.serving.endpoint_tests import TestResult
from mlops_assets.serving.rollout import RolledOut
from mlops_assets.serving.spec import EndpointStatus, ServedVersion, Version

SERVED = ServedVersion(name="m-2", model_name="m", version="2", traffic_percentage=100)
STATUS = EndpointStatus(name="e", ready=True, config_update="NOT_UPDATING", served=(SERVED,))
FAILED = RolledOut(STATUS, Version("m", "2"), [TestResult("latency", False, "it took 9 s")])


@pytest.mark.parametrize(
    ("done", "told"),
    [
        (FAILED, "version 2 was live before and is served on, until it is rolled back or another passes"),
        (replace(FAILED, before=Version("m", "1"), rolled_back=True), "rolled back to version 1"),
        (replace(FAILED, before=Version("old.m", "7"), rolled_back=True), "rolled back to version old.m 7"),
        (replace(FAILED, before=None, rolled_back=True), "there was none before: nothing is served"),
    ],
)
def test_a_red_deployment_says_why_and_what_is_served_now(done: RolledOut, told: str) -> None:
    assert failure_reasons(done, ModelVersion("m", "2", "")) == ["latency: it took 9 s", told]
