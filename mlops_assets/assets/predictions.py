"""Batch predictions as an asset: every new row of the feature table, scored once by the current champion."""

from collections.abc import Iterator

import dagster as dg

from mlops_assets.assets.dagster_events import dagster_events
from mlops_assets.assets.errors import as_failure
from mlops_assets.assets.keys import Materialized, deployment_key, shared, table_key
from mlops_assets.assets.partitions import chosen_partitions, partitions_of
from mlops_assets.config import DataConfig, Document, Project
from mlops_assets.config.lineage import ModelDocuments, source_document
from mlops_assets.lake.locations import Warehouse
from mlops_assets.registry import ModelRegistry
from mlops_assets.serving.scoring import Scoring
from mlops_assets.steps.metadata import table_metadata
from mlops_assets.steps.result import StepResult


def predictions_asset(project: Project, documents: ModelDocuments) -> dg.AssetsDefinition:
    """One row per feature row that the champion was not trained on: keys, prediction, probability, version, request
    and time.

    If the features' source is partitioned by time, so are the predictions: a run of a partition scores its rows again,
    with the champion of that time.
    """
    key = table_key(project, "gold", documents.predictions)
    environments = [document.config.environment for document in documents.deployments]
    source = parted_source(project, documents)

    @dg.asset(
        key=key,
        deps=[
            table_key(project, "gold", documents.features.name),
            *([deployment_key(project, "production")] if "production" in environments else []),
        ],
        partitions_def=partitions_of(project, source) if source else None,
        description="New rows scored by the champion. Rows it was trained on are skipped and counted.",
        **shared(project, "gold", ["delta", "gold", "mlflow"]),
    )
    def predictions(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Warehouse],
        registry: dg.ResourceParam[ModelRegistry],
    ) -> Iterator[Materialized | dg.AssetCheckResult]:
        chosen = chosen_partitions(context)
        with as_failure():
            scoring = scoring_of(project, documents, lake, registry)
            scored = scoring.new_rows() if chosen is None else scoring.again(chosen)
        versions = ", ".join(scored.versions)
        metadata = {
            **table_metadata(scoring.table),
            "rows_scored": scored.rows,
            "rows_learned_from": scored.learned_from,
            "version": versions,
        }
        step = StepResult(metadata, log=f"{scored.rows} rows scored by version {versions}")
        yield from dagster_events(context, project, key, lake, step)

    return predictions


def scoring_of(project: Project, documents: ModelDocuments, lake: Warehouse, registry: ModelRegistry) -> Scoring:
    """The scoring of a model's feature table."""
    source = parted_source(project, documents)
    return Scoring(
        documents.model,
        lake.table(project.name, "gold", documents.features.name),
        lake.table(project.name, "gold", documents.predictions),
        documents.features.config,
        registry,
        source.config.partitions if source else None,
    )


def parted_source(project: Project, documents: ModelDocuments) -> Document[DataConfig] | None:
    """The data document of the features' source if that is partitioned by time, else None."""
    found = source_document(project, documents.features)
    parts = found.config.partitions if found else None
    return found if parts is not None and parts.timed else None
