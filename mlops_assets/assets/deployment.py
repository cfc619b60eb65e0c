"""Deployment documents as assets: one per environment, in the order development, staging, production.

An asset makes its endpoint serve the approved version and tests it over HTTP. If a test or a criterion of the rollout
fails, the endpoint goes back to the previous version, and the asset fails with the evidence. The alias `champion` moves
last, after production's tests have passed.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from mlops_assets.assets.errors import as_failure
from mlops_assets.assets.keys import Materialized, deployment_key, model_key, shared, table_key
from mlops_assets.assets.launchpad import launch_config, with_launch_config
from mlops_assets.assets.promoters import require_promoter
from mlops_assets.assets.rollouts import SCORES, Deployment, graph_figures
from mlops_assets.assets.verdicts import (
    ROLLOUT,
    check_of,
    has_rollout_check,
    not_deployed,
    rollout_results,
    version_before,
)
from mlops_assets.config import DeploymentConfig, Document, Project
from mlops_assets.config.lineage import training_set_name
from mlops_assets.lake.locations import Warehouse
from mlops_assets.registry import ModelRegistry, ModelVersion
from mlops_assets.resources.serving import Serving
from mlops_assets.serving.endpoint_tests import TestResult
from mlops_assets.serving.rollout import RolledOut
from mlops_assets.steps.metadata import numbers

ORDER = ("development", "staging", "production")


def deployment_assets(project: Project) -> list[dg.AssetsDefinition]:
    """One asset per environment; each runs only after the previous environment has passed its tests."""
    documents = sorted(project.deployment, key=lambda document: ORDER.index(document.config.environment))
    return [
        deployment_asset(project, document, [other for other in documents[:place] if _same_model(other, document)])
        for place, document in enumerate(documents)
    ]


def _same_model(one: Document[DeploymentConfig], other: Document[DeploymentConfig]) -> bool:
    return one.config.model_name == other.config.model_name


def deployment_asset(
    project: Project, document: Document[DeploymentConfig], before: list[Document[DeploymentConfig]]
) -> dg.AssetsDefinition:
    """One environment: its endpoint serves the approved version and has passed the document's tests."""
    config = document.config
    key = deployment_key(project, config.environment)
    model = model_key(project, config.model_name.rsplit(".", 1)[-1])
    upstream = deployment_key(project, before[-1].config.environment) if before else model
    chosen_fields = launch_config(f"deploy_{config.environment}", config, ["model_version"])

    @dg.asset(
        key=key,
        deps=[upstream, table_key(project, "gold", training_set_name(project, config.model_name))],
        check_specs=[
            dg.AssetCheckSpec(name, asset=key, blocking=True, description=meaning)
            for name, meaning in _check_descriptions(config).items()
        ],
        description=f"{config.model_name} in {config.environment}, {_target_name(config)}.",
        # One writer per endpoint, where the instance limits pools.
        **shared(project, "deployment", ["mlflow", config.environment], config.tags, config.endpoint_name),
    )
    def deployment(
        context: dg.AssetExecutionContext,
        config: chosen_fields,  # type: ignore[valid-type]
        lake: dg.ResourceParam[Warehouse],
        registry: dg.ResourceParam[ModelRegistry],
        serving: dg.ResourceParam[Serving],
    ) -> Iterator[Materialized | dg.AssetCheckResult]:
        chosen = with_launch_config(document.config, config)
        require_promoter(chosen, context.run.tags)
        with as_failure():
            serving.require(chosen)
            version, served = _versions_to_serve(registry, chosen)
            rollout = Deployment(project, chosen, lake, registry, serving).roll_out(served)
        results = [*rollout.tests, *rollout_results(chosen, rollout)]
        checks = [check_of(key, result) for result in results]
        if not rollout.passed:
            yield from checks
            raise not_deployed(key, rollout, served)
        with as_failure():
            champion_moved = _promote(registry, chosen, version, served)
            metadata = {**_address(serving, chosen), **graph_figures(chosen, served, lake, registry)}
        context.log.info(
            "%s: version %s (before: %s)", _target_name(chosen), served.version, version_before(rollout, served)
        )
        yield dg.MaterializeResult(
            metadata={
                **metadata,
                **_versions(rollout, served),
                "champion_moved": champion_moved,
                **_figures(results),
            },
            check_results=checks,
        )

    return deployment


def _versions_to_serve(registry: ModelRegistry, config: DeploymentConfig) -> tuple[ModelVersion, ModelVersion]:
    """The approved version, and the copy of it that the environment serves (the version itself if there is no copy)."""
    version = approved_version(registry, config)
    if config.requires_approval:
        registry.require_approval(version, config.environment, config.promoters)
    name = config.registered_as or registry.name_in(config.environment, version.name)
    return version, registry.copied(version, name)


def _figures(results: Sequence[TestResult]) -> dict[str, Any]:
    """The figures of all tests, named `<test>_<figure>`."""
    return {f"{result.name}_{name}": value for result in results for name, value in numbers(result.figures).items()}


def approved_version(registry: ModelRegistry, config: DeploymentConfig) -> ModelVersion:
    """The version that a document asks for: a number, an alias, or `latest`, the newest that has passed its gate.

    Raises:
        RegistryError: there is no such version.
    """
    if config.model_version == "latest":
        return registry.latest_passed(config.model_name)
    return registry.version(config.model_name, config.model_version)


def _target_name(config: DeploymentConfig) -> str:
    if config.deployment_type == "serving_endpoint":
        return f"at endpoint {config.endpoint_name}"
    return "for batch scoring"


def _check_descriptions(config: DeploymentConfig) -> dict[str, str]:
    """Name and description of each blocking check. Batch deployments have no endpoint to test."""
    if config.deployment_type != "serving_endpoint":
        return {SCORES: "The version gives a prediction for every probed row."}
    rollout = {ROLLOUT: "The success criteria held at every share."} if has_rollout_check(config) else {}
    return {test.type: test.promise for test in config.tests} | rollout


def _versions(rollout: RolledOut, served: ModelVersion) -> dict[str, Any]:
    return {
        "model": served.name,
        "version": served.version,
        "version_before": version_before(rollout, served),
        "changed": rollout.before != (served.name, served.version),
    }


def _address(serving: Serving, config: DeploymentConfig) -> dict[str, Any]:
    if config.deployment_type != "serving_endpoint":
        return {}
    url = f"{serving.url}/serving-endpoints/{config.endpoint_name}/invocations"
    return {"endpoint": config.endpoint_name, "url": dg.MetadataValue.url(url)}


def _promote(registry: ModelRegistry, config: DeploymentConfig, version: ModelVersion, served: ModelVersion) -> bool:
    """In production, move the alias `champion` to the version that passed (and to the copy of it that is served).

    Returns whether the alias has moved.
    """
    if config.environment != "production":
        return False
    if served.name != version.name:
        registry.promote(served)
    champion = registry.champion(config.model_name)
    if champion is not None and champion.version == version.version:
        return False
    registry.promote(version)
    return True
