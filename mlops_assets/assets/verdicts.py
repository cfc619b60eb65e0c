"""What a deployment's run tells of a rollout: each test and the watch as a check, and why a version is not deployed."""

import dagster as dg

from mlops_assets.config import DeploymentConfig
from mlops_assets.registry import ModelVersion
from mlops_assets.serving.endpoint_tests import TestResult
from mlops_assets.serving.rollout import RolledOut
from mlops_assets.steps.metadata import numbers

ROLLOUT = "rollout"


def check_of(key: dg.AssetKey, result: TestResult) -> dg.AssetCheckResult:
    """A test as the check of its name."""
    return dg.AssetCheckResult(
        passed=result.passed,
        asset_key=key,
        check_name=result.name,
        description=result.description,
        metadata=numbers(result.figures),
    )


def is_watched(config: DeploymentConfig) -> bool:
    """Whether criteria hold a new version while it takes traffic."""
    return config.deployment_type == "serving_endpoint" and config.rollout.strategy != "all_at_once"


def watched(config: DeploymentConfig, done: RolledOut) -> list[TestResult]:
    """The rollout as a check: what was seen of the new version while it took traffic, where it came so far."""
    if not is_watched(config):
        return []
    if not done.evidence:
        outcome = "no traffic had to be moved" if done.passed else "a test failed before traffic was moved"
        return [TestResult(ROLLOUT, done.passed, outcome)]
    outcome = "; ".join(done.broken) or "every criterion held"
    return [TestResult(ROLLOUT, not done.broken, f"at {done.share} % of the requests: {outcome}", done.evidence)]


def version_before(done: RolledOut, served: ModelVersion) -> str:
    """The version that was served before, with its model where that is another one."""
    if done.before is None:
        return "none"
    return done.before.version if done.before.model_name == served.name else " ".join(done.before)


def not_deployed(asset: dg.AssetKey, done: RolledOut, served: ModelVersion) -> dg.Failure:
    """The failure of a rollout that did not pass: what served before goes on serving."""
    reasons = why(done, served)
    return dg.Failure(
        f"{asset.to_user_string()}: not deployed, and nothing downstream runs: {'; '.join(reasons)}",
        metadata={"reasons": reasons},
        allow_retries=False,
    )


def why(done: RolledOut, served: ModelVersion) -> list[str]:
    """What a version did not pass, and what is served after that, in sentences."""
    failed = [f"{result.name}: {result.description}" for result in done.tests if not result.passed]
    broken = [f"at {done.share} % of the requests {each}" for each in done.broken]
    return [*failed, *broken, *_now(done, served)]


def _now(done: RolledOut, served: ModelVersion) -> list[str]:
    """What an endpoint serves after a failure."""
    if done.rolled_back and done.before is None:
        return ["there was none before: nothing is served"]
    if done.rolled_back:
        return [f"rolled back to version {version_before(done, served)}"]
    if done.before == (served.name, served.version) and done.status.served:
        return [f"version {served.version} was live before and is served on, until it is rolled back or another passes"]
    return []
