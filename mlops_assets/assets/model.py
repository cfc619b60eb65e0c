"""Training documents as assets: the rows to learn from, and the model that was learned from them and judged.

A model that is registered for the same rows, documents and code already is not trained again. What the gate decided
stands on the version; a refusal is an answer, not a failure, and what is deployed stays.
"""

from collections.abc import Iterator

import dagster as dg
from pydantic import Field

from mlops_assets.assets.errors import as_failure
from mlops_assets.assets.keys import Materialized, dependencies, model_key, shared, table_key
from mlops_assets.assets.launchpad import launch_config, with_launch_config
from mlops_assets.assets.reported import reported
from mlops_assets.config import Project
from mlops_assets.config.lineage import ModelDocuments
from mlops_assets.lake.locations import Warehouse
from mlops_assets.registry import ModelRegistry
from mlops_assets.steps import model as steps
from mlops_assets.steps.model import GATE
from mlops_assets.steps.result import StepRun

LAUNCH_FIELDS = ["algorithm", "hyperparameters", "split_method", "split_ratios", "random_seed", "refit", "trials"]


def training_set_asset(project: Project, documents: ModelDocuments) -> dg.AssetsDefinition:
    """The rows to learn from: features as they were known, the label beside them, null where it has not arrived."""
    features = documents.features
    config = features.config
    key = table_key(project, "gold", documents.training_set)

    @dg.asset(
        key=key,
        deps=[table_key(project, "gold", features.name), *dependencies(project, [config.source_table])],
        description=f"What {documents.model} learns from, '{documents.training.config.target_column}' included.",
        **shared(project, "gold", ["delta", "gold"]),
    )
    def training_set(
        context: dg.AssetExecutionContext, lake: dg.ResourceParam[Warehouse]
    ) -> Iterator[Materialized | dg.AssetCheckResult]:
        with as_failure():
            done = steps.training_set(project, documents, lake, StepRun(context.run.run_id, context.run.tags))
        yield from reported(context, project, key, lake, done)

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
            Field(default=False, description="Train even where the same version is registered already."),
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
        "A new one is compared with the champion.",
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
            done = steps.model(project, documents, chosen, lake, registry, run, again=again)
        yield from reported(context, project, key, lake, done)

    return model
