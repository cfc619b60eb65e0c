"""Training documents as assets: the training set, and the model that is trained on it and judged by its gate.

A model that is already registered for the same rows, documents and code is not trained again. The gate's decision is
recorded on the version; a refusal does not fail the asset, and the deployed version stays.
"""

from collections.abc import Iterator

import dagster as dg
from pydantic import Field

from mlops_assets.assets.dagster_events import dagster_events
from mlops_assets.assets.errors import as_failure
from mlops_assets.assets.keys import Materialized, dependencies, model_key, shared, table_key
from mlops_assets.assets.launchpad import launch_config, with_launch_config
from mlops_assets.config import Project
from mlops_assets.config.lineage import ModelDocuments
from mlops_assets.lake.locations import Warehouse
from mlops_assets.registry import ModelRegistry
from mlops_assets.steps import model as steps
from mlops_assets.steps.model import GATE
from mlops_assets.steps.result import StepRun

LAUNCH_FIELDS = ["algorithm", "hyperparameters", "split_method", "split_ratios", "random_seed", "refit", "trials"]


def training_set_asset(project: Project, documents: ModelDocuments) -> dg.AssetsDefinition:
    """The training set: point-in-time features and the label, which is null until it arrives."""
    features = documents.features
    config = features.config
    key = table_key(project, "gold", documents.training_set)

    @dg.asset(
        key=key,
        deps=[table_key(project, "gold", features.name), *dependencies(project, [config.source_table])],
        description=f"Features and label '{documents.training.config.target_column}' for training {documents.model}.",
        **shared(project, "gold", ["delta", "gold"]),
    )
    def training_set(
        context: dg.AssetExecutionContext, lake: dg.ResourceParam[Warehouse]
    ) -> Iterator[Materialized | dg.AssetCheckResult]:
        with as_failure():
            result = steps.training_set(project, documents, lake, StepRun(context.run.run_id, context.run.tags))
        yield from dagster_events(context, project, key, lake, result)

    return training_set


def model_asset(project: Project, documents: ModelDocuments) -> dg.AssetsDefinition:
    """A registered version of the model, with the gate's decision."""
    document = documents.training
    key = model_key(project, document.name)
    chosen_fields = launch_config(
        f"train_{document.name}",
        document.config,
        LAUNCH_FIELDS,
        again=(
            bool,
            Field(default=False, description="Train even if the same version is already registered."),
        ),
    )

    @dg.asset(
        key=key,
        deps=[table_key(project, "gold", documents.training_set)],
        check_specs=[
            dg.AssetCheckSpec(
                GATE,
                asset=key,
                description="The criteria hold, and the champion is beaten on held-out rows that it has not seen.",
            )
        ],
        description=f"Versions of {documents.model}: {document.config.model_type} of {document.config.target_column}. "
        "Each new version is compared with the champion.",
        **shared(project, "model", ["mlflow", "sklearn"]),
    )
    def model(
        context: dg.AssetExecutionContext,
        config: chosen_fields,  # type: ignore[valid-type]
        lake: dg.ResourceParam[Warehouse],
        registry: dg.ResourceParam[ModelRegistry],
    ) -> Iterator[Materialized | dg.AssetCheckResult]:
        chosen = with_launch_config(document.config, config)
        run = StepRun(context.run.run_id, context.run.tags)
        with as_failure():
            again = config.again  # type: ignore[attr-defined]
            result = steps.model(project, documents, chosen, lake, registry, run, again=again)
        yield from dagster_events(context, project, key, lake, result)

    return model
