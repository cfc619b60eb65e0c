"""Deployment documents as assets: an environment each, in the order development, staging, production.

An asset makes its endpoint serve the approved version and asks it over HTTP; what an endpoint serves is what its asset
says. Where a test or a criterion of the rollout fails, the endpoint serves what it served before, and the asset is red
with the evidence. The alias `champion` moves last, when production's tests have passed.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from mlops_assets.assets.errors import as_failure
from mlops_assets.assets.keys import Materialized, deployment_key, model_key, shared, table_key
from mlops_assets.assets.launchpad import launch_config, with_launch_config
from mlops_assets.assets.promoters import require_promoter
from mlops_assets.assets.rollouts import SCORES, Deployment, graph_figures
from mlops_assets.assets.verdicts import ROLLOUT, check_of, is_watched, not_deployed, version_before, watched
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
    """The environments' assets; each starts only when the one before has passed its tests."""
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
            for name, meaning in _checks(config).items()
        ],
        description=f"{config.model_name} in {config.environment}, {_where(config)}.",
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
            version, served = _to_serve(registry, chosen)
            done = Deployment(project, chosen, lake, registry, serving).roll_out(served)
        results = [*done.tests, *watched(chosen, done)]
        checks = [check_of(key, result) for result in results]
        if not done.passed:
            yield from checks
            raise not_deployed(key, done, served)
        with as_failure():
            moved = _promote(registry, chosen, version, served)
            shown = {**_address(serving, chosen), **graph_figures(chosen, served, lake, registry)}
        context.log.info("%s: version %s (before: %s)", _where(chosen), served.version, version_before(done, served))
        yield dg.MaterializeResult(
            metadata={
                **shown,
                **_versions(done, served),
                "champion_moved": moved,
                **_figures(results),
            },
            check_results=checks,
        )

    return deployment


def _to_serve(registry: ModelRegistry, config: DeploymentConfig) -> tuple[ModelVersion, ModelVersion]:
    """The approved version, and the copy of it that the environment serves (itself where there is no copy)."""
    version = approved(registry, config)
    if config.requires_approval:
        registry.require_approval(version, config.environment, config.promoters)
    there = config.registered_as or registry.name_in(config.environment, version.name)
    return version, registry.copied(version, there)


def _figures(results: Sequence[TestResult]) -> dict[str, Any]:
    """Every figure of the tests, by test and figure."""
    return {f"{result.name}_{name}": value for result in results for name, value in numbers(result.figures).items()}


def approved(registry: ModelRegistry, config: DeploymentConfig) -> ModelVersion:
    """The version that a document means: `latest` is the newest that has passed its gate, a number or an alias is
    itself.

    Raises:
        RegistryError: there is none.
    """
    if config.model_version == "latest":
        return registry.latest_passed(config.model_name)
    return registry.version(config.model_name, config.model_version)


def _where(config: DeploymentConfig) -> str:
    if config.deployment_type == "serving_endpoint":
        return f"at endpoint {config.endpoint_name}"
    return "for batch scoring"


def _checks(config: DeploymentConfig) -> dict[str, str]:
    """Name and meaning of each blocking check. Batch deployments have no endpoint to ask."""
    if config.deployment_type != "serving_endpoint":
        return {SCORES: "The version gives a prediction for every probed row."}
    rollout = {ROLLOUT: "The success criteria held at every share."} if is_watched(config) else {}
    return {test.type: test.promise for test in config.tests} | rollout


def _versions(done: RolledOut, served: ModelVersion) -> dict[str, Any]:
    return {
        "model": served.name,
        "version": served.version,
        "version_before": version_before(done, served),
        "changed": done.before != (served.name, served.version),
    }


def _address(serving: Serving, config: DeploymentConfig) -> dict[str, Any]:
    if config.deployment_type != "serving_endpoint":
        return {}
    url = f"{serving.url}/serving-endpoints/{config.endpoint_name}/invocations"
    return {"endpoint": config.endpoint_name, "url": dg.MetadataValue.url(url)}


def _promote(registry: ModelRegistry, config: DeploymentConfig, version: ModelVersion, served: ModelVersion) -> bool:
    """In production the alias `champion` moves to the version that passed, and to the copy that is served where that is
    another; True where it was elsewhere.
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
