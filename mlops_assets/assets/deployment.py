"""Deployment documents as assets: an environment each, in the order development, staging, production.

An asset makes its endpoint serve the approved version and asks it over HTTP; what an endpoint serves is what its asset
says. The alias `champion` moves last, when production's tests have passed.
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import polars as pl

from mlops_assets.assets.errors import told
from mlops_assets.assets.keys import Materialized, deployment_key, model_key, shared, table_key
from mlops_assets.assets.launchpad import knobs, with_knobs
from mlops_assets.assets.lineage import training_set_name
from mlops_assets.assets.metadata import numbers
from mlops_assets.assets.pending import warn_pending
from mlops_assets.assets.rule_checks import block
from mlops_assets.config import DeploymentConfig, Document, Project
from mlops_assets.lake import delta
from mlops_assets.lake.locations import Warehouse
from mlops_assets.registry import ModelRegistry, ModelVersion, RegistryError
from mlops_assets.resources.serving import EmbeddedServing
from mlops_assets.serving.endpoint_tests import Probe, TestResult, run_tests
from mlops_assets.serving.endpoints import EndpointSpec
from mlops_assets.serving.errors import ServingError
from mlops_assets.serving.model import load_served_model
from mlops_assets.serving.rollout import RolledOut, roll_out

ORDER = ("development", "staging", "production")
PROBE_ROWS = 1000


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
    chosen_fields = knobs(f"deploy_{config.environment}", config, ["model_version"])

    @dg.asset(
        key=key,
        deps=[upstream, table_key(project, "gold", training_set_name(project, config.model_name))],
        check_specs=[
            dg.AssetCheckSpec(test.type, asset=key, blocking=True, description=type(test).__doc__)
            for test in _tests(config)
        ],
        description=f"{config.model_name} in {config.environment}, at endpoint {config.endpoint_name}.",
        **shared(project, "deployment", ["mlflow", config.environment], config.tags),
    )
    def deployment(
        context: dg.AssetExecutionContext,
        config: chosen_fields,  # type: ignore[valid-type]
        lake: dg.ResourceParam[Warehouse],
        registry: dg.ResourceParam[ModelRegistry],
        serving: dg.ResourceParam[EmbeddedServing],
    ) -> Iterator[Materialized | dg.AssetCheckResult]:
        warn_pending(context, document)
        chosen = with_knobs(document.config, config)
        with told(RegistryError, ServingError):
            serving.require(chosen)
            version = approved(registry, chosen)
            done = _serve(project, chosen, version, lake, registry, serving)
        checks = [_check(key, result) for result in done.tests]
        if not done.passed:
            yield from checks
            raise block(key, _why(done))
        moved = _promote(registry, chosen, version)
        context.log.info("%s serves version %s (before: %s)", chosen.endpoint_name, version.version, done.before)
        yield dg.MaterializeResult(
            metadata={
                "endpoint": chosen.endpoint_name,
                "url": dg.MetadataValue.url(
                    f"{serving.gateway().url}/serving-endpoints/{chosen.endpoint_name}/invocations"
                ),
                "version": version.version,
                "version_before": done.before or "none",
                "changed": done.before != version.version,
                "champion_moved": moved,
                **{
                    name: value
                    for result in done.tests
                    for name, value in numbers(result.figures, f"{result.name}_").items()
                },
            },
            check_results=checks,
        )

    return deployment


def approved(registry: ModelRegistry, config: DeploymentConfig) -> ModelVersion:
    """The version that a document means: `latest` is the newest that has passed its gate, a number or an alias is
    itself.

    Raises:
        RegistryError: there is none.
    """
    if config.model_version == "latest":
        return registry.latest_passed(config.model_name)
    return registry.version(config.model_name, config.model_version)


def _tests(config: DeploymentConfig) -> list[Any]:
    """The document's tests that this version can run; batch deployments have no endpoint to ask."""
    known = ("schema", "golden_rows", "latency")
    return [test for test in config.tests if test.type in known and config.deployment_type == "serving_endpoint"]


def _serve(
    project: Project,
    config: DeploymentConfig,
    version: ModelVersion,
    lake: Warehouse,
    registry: ModelRegistry,
    serving: EmbeddedServing,
) -> RolledOut:
    rows = _probe_rows(lake.table(project.name, "gold", training_set_name(project, config.model_name)))

    def spec_of(number: str) -> EndpointSpec:
        return _spec(project, config, registry.version(config.model_name, number), lake, registry)

    def test() -> list[TestResult]:
        model = load_served_model(registry.local_path(version))
        probe = Probe(serving.client(), config.endpoint_name, model, rows.select(list(model.inputs)).to_pandas())
        return run_tests(probe, _tests(config))

    with serving.endpoints() as endpoints:
        return roll_out(endpoints, spec_of(version.version), spec_of, test)


def _spec(
    project: Project,
    config: DeploymentConfig,
    version: ModelVersion,
    lake: Warehouse,
    registry: ModelRegistry,
) -> EndpointSpec:
    return EndpointSpec(
        name=config.endpoint_name,
        model_name=config.model_name,
        version=version.version,
        model_path=str(registry.local_path(version)),
        environment_variables=config.environment_variables,
        tags=config.tags,
        timeout_seconds=config.timeout_seconds,
        enable_access_control=config.enable_access_control,
        inference_table=lake.table(project.name, "monitoring", "inference_log"),
    )


def _probe_rows(training_set: str) -> pl.DataFrame:
    """The newest rows of the training set, as raw features."""
    return delta.scan(training_set).tail(PROBE_ROWS).collect()


def _promote(registry: ModelRegistry, config: DeploymentConfig, version: ModelVersion) -> bool:
    """In production the alias `champion` moves to the version that passed; True where it was elsewhere."""
    if config.environment != "production":
        return False
    champion = registry.champion(config.model_name)
    if champion is not None and champion.version == version.version:
        return False
    registry.promote(version)
    return True


def _check(key: dg.AssetKey, result: TestResult) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=result.passed,
        asset_key=key,
        check_name=result.name,
        description=result.description,
        metadata=numbers(result.figures),
    )


def _why(done: RolledOut) -> list[str]:
    failed = [f"{result.name}: {result.description}" for result in done.tests if not result.passed]
    return [*failed, f"rolled back to version {done.before}"] if done.rolled_back else failed
