"""The result of a rollout as Dagster checks, and the failure of a version that is not deployed."""

import dagster as dg

from mlops_assets.config import DeploymentConfig
from mlops_assets.registry import ModelVersion
from mlops_assets.serving.endpoint_tests import TestResult
from mlops_assets.serving.rollout import RolledOut
from mlops_assets.steps.metadata import numbers

ROLLOUT = "rollout"


def check_of(key: dg.AssetKey, result: TestResult) -> dg.AssetCheckResult:
    """An endpoint test as the check of the same name."""
    return dg.AssetCheckResult(
        passed=result.passed,
        asset_key=key,
        check_name=result.name,
        description=result.description,
        metadata=numbers(result.figures),
    )


def has_rollout_check(config: DeploymentConfig) -> bool:
    """Whether the rollout moves traffic in steps and judges criteria at each."""
    return config.deployment_type == "serving_endpoint" and config.rollout.strategy != "all_at_once"


def rollout_results(config: DeploymentConfig, rollout: RolledOut) -> list[TestResult]:
    """The rollout's criteria as a test result; none if all traffic moves at once."""
    if not has_rollout_check(config):
        return []
    if not rollout.evidence:
        outcome = "no traffic had to be moved" if rollout.passed else "a test failed before traffic was moved"
        return [TestResult(ROLLOUT, rollout.passed, outcome)]
    outcome = "; ".join(rollout.broken) or "every criterion held"
    return [
        TestResult(ROLLOUT, not rollout.broken, f"at {rollout.share} % of the requests: {outcome}", rollout.evidence)
    ]


def version_before(rollout: RolledOut, served: ModelVersion) -> str:
    """The version that was served before, with its model's name if that differs; `none` for a first deployment."""
    if rollout.before is None:
        return "none"
    return rollout.before.version if rollout.before.model_name == served.name else " ".join(rollout.before)


def not_deployed(asset: dg.AssetKey, rollout: RolledOut, served: ModelVersion) -> dg.Failure:
    """The failure of a rollout that did not pass; the previous version is still served."""
    reasons = failure_reasons(rollout, served)
    return dg.Failure(
        f"{asset.to_user_string()}: not deployed, and nothing downstream runs: {'; '.join(reasons)}",
        metadata={"reasons": reasons},
        allow_retries=False,
    )


def failure_reasons(rollout: RolledOut, served: ModelVersion) -> list[str]:
    """Sentences on the tests and criteria that failed and on what is served now."""
    failed = [f"{result.name}: {result.description}" for result in rollout.tests if not result.passed]
    broken = [f"at {rollout.share} % of the requests {each}" for each in rollout.broken]
    return [*failed, *broken, *_served_after_failure(rollout, served)]


def _served_after_failure(rollout: RolledOut, served: ModelVersion) -> list[str]:
    """A sentence on what the endpoint serves after a failure."""
    if rollout.rolled_back and rollout.before is None:
        return ["there was none before: nothing is served"]
    if rollout.rolled_back:
        return [f"rolled back to version {version_before(rollout, served)}"]
    if rollout.before == (served.name, served.version) and rollout.status.served:
        return [f"version {served.version} was live before and is served on, until it is rolled back or another passes"]
    return []
