"""Predictions as a table: every new row of the feature table, scored once by the champion of that moment."""

import dagster as dg
import polars as pl

from mlops_assets.assets.errors import told
from mlops_assets.assets.keys import Materialized, deployment_key, shared, table_key
from mlops_assets.assets.metadata import table_metadata
from mlops_assets.config import Project
from mlops_assets.config.lineage import ModelDocuments
from mlops_assets.features.table import identity
from mlops_assets.lake import delta
from mlops_assets.lake.locations import Warehouse
from mlops_assets.registry import ModelRegistry, ModelVersion, RegistryError
from mlops_assets.serving.batch import score
from mlops_assets.serving.model import ServedModel, load_served_model
from mlops_assets.serving.signature import SignatureError

FEATURES = "features"  # the transaction that says up to which version of the feature table rows are scored


def predictions_asset(project: Project, documents: ModelDocuments) -> dg.AssetsDefinition:
    """One row a feature row that the champion had not learned from: its keys, prediction, probability, version,
    request, time.
    """
    key = table_key(project, "gold", documents.predictions)
    environments = [document.config.environment for document in documents.deployments]

    @dg.asset(
        key=key,
        deps=[
            table_key(project, "gold", documents.features.name),
            *([deployment_key(project, "production")] if "production" in environments else []),
        ],
        description="New rows scored by the champion. Rows that it was trained on are left out and counted.",
        **shared(project, "gold", ["delta", "gold", "mlflow"]),
    )
    def predictions(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Warehouse],
        registry: dg.ResourceParam[ModelRegistry],
    ) -> Materialized:
        source = lake.table(project.name, "gold", documents.features.name)
        table = lake.table(project.name, "gold", documents.predictions)
        with told(RegistryError, SignatureError):
            champion = registry.require_champion(documents.model)
            newest, done = delta.latest(source), delta.transaction_version(table, FEATURES)
            fresh = delta.changes(source, done, newest, keys=documents.features.config.primary_keys)
            unseen = later_than_training(fresh, documents.features.config.timestamp_column, champion)
            scored = score_rows(unseen, load_served_model(registry.local_path(champion)), champion.version, documents)
            if done != newest:
                delta.append(table, scored, transactions={FEATURES: newest})
        context.log.info("%s rows scored by version %s", scored.height, champion.version)
        return dg.MaterializeResult(
            metadata={
                **table_metadata(table),
                "rows_scored": scored.height,
                "rows_learned_from": fresh.height - unseen.height,
                "version": champion.version,
            }
        )

    return predictions


def later_than_training(rows: pl.DataFrame, timestamp: str, version: ModelVersion) -> pl.DataFrame:
    """The rows after the newest that the version learned from: an honest score is of rows it has not seen."""
    until = version.trained_until
    return rows if until is None else rows.filter(pl.col(timestamp) > until)


def score_rows(rows: pl.DataFrame, model: ServedModel, version: str, documents: ModelDocuments) -> pl.DataFrame:
    """Predictions of feature rows, with the columns that say which row each is."""
    return score(model, rows, version=version, keep=identity(documents.features.config))
