"""Training documents as assets: the rows to learn from, and the model that was learned from them and judged.

A model that is registered for the same rows, documents and code already is not trained again. What the gate decided
stands on the version; a refusal is an answer, not a failure, and what is deployed stays.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import dagster as dg
from pydantic import Field

from mlops_assets.assets.errors import told
from mlops_assets.assets.keys import Materialized, model_key, shared, table_key
from mlops_assets.assets.launchpad import knobs, with_knobs
from mlops_assets.assets.lineage import ModelDocuments
from mlops_assets.assets.metadata import image, markdown_table, numbers, table_metadata
from mlops_assets.assets.pending import warn_pending
from mlops_assets.assets.tables import dependencies, locate
from mlops_assets.config import Project, config_hash
from mlops_assets.features.errors import FeatureError
from mlops_assets.lake import delta
from mlops_assets.lake.locations import Warehouse
from mlops_assets.registry import ModelRegistry
from mlops_assets.training.candidate import Candidate, lineage_of, train
from mlops_assets.training.dataset import training_frame
from mlops_assets.training.errors import TrainingError
from mlops_assets.training.metrics import metric
from mlops_assets.training.search import Searched

GATE = "gate"
SHOWN_TRIALS = 10
KNOBS = ["algorithm", "hyperparameters", "split_method", "split_ratios", "random_seed", "refit", "trials"]


def training_set_asset(project: Project, documents: ModelDocuments) -> dg.AssetsDefinition:
    """The rows to learn from: features as they were known, the label beside them, null where it has not arrived."""
    features = documents.features
    config = features.config

    @dg.asset(
        key=table_key(project, "gold", documents.training_set),
        deps=[table_key(project, "gold", features.name), *dependencies(project, [config.source_table])],
        description=f"What {documents.model} learns from, '{documents.training.config.target_column}' included.",
        **shared(project, "gold", ["delta", "gold"]),
    )
    def training_set(context: dg.AssetExecutionContext, lake: dg.ResourceParam[Warehouse]) -> Materialized:
        table = lake.table(project.name, "gold", documents.training_set)
        read = {
            "features": lake.table(project.name, "gold", features.name),
            "source": locate(project, config.source_table, lake),
        }
        with told(FeatureError):
            made_of = {name: delta.latest(path) for name, path in read.items()} | {
                "documents": _documents_number(documents)
            }
            if any(delta.transaction_version(table, name) != version for name, version in made_of.items()):
                rows = training_frame(
                    delta.scan(read["features"]),
                    delta.scan(read["source"]),
                    documents.training.config,
                    config,
                )
                delta.overwrite(table, rows, transactions=made_of)
        return dg.MaterializeResult(metadata=table_metadata(table, keys=config.primary_keys))

    return training_set


def model_asset(project: Project, documents: ModelDocuments) -> dg.AssetsDefinition:
    """A registered version of the model, with the gate's decision."""
    document = documents.training
    key = model_key(project, document.name)
    chosen_fields = knobs(
        f"train_{document.name}",
        document.config,
        KNOBS,
        again=(
            bool,
            Field(default=False, description="Train even where the same version is registered already."),
        ),
    )

    @dg.asset(
        key=key,
        deps=[table_key(project, "gold", documents.training_set)],
        check_specs=[
            dg.AssetCheckSpec(GATE, asset=key, description="Criteria met, and the champion beaten on later rows.")
        ],
        description=f"{documents.model}: {document.config.model_type} of {document.config.target_column}.",
        **shared(project, "model", ["mlflow", "sklearn"]),
    )
    def model(
        context: dg.AssetExecutionContext,
        config: chosen_fields,  # type: ignore[valid-type]
        lake: dg.ResourceParam[Warehouse],
        registry: dg.ResourceParam[ModelRegistry],
    ) -> Materialized:
        warn_pending(context, document)
        chosen = with_knobs(document.config, config)
        table = lake.table(project.name, "gold", documents.training_set)
        version = delta.latest(table)
        with told(TrainingError, FeatureError):
            done = train(
                chosen,
                documents.features.config,
                delta.scan(table, version).collect(),
                registry,
                lineage_of(chosen, documents.features.config, {table: version}),
                cause=_cause(context.run.tags),
                again=config.again,  # type: ignore[attr-defined]
                studies=lake.home / "studies.db",
            )
        context.log.info("version %s %s: %s", done.version.version, done.version.tag("gate"), done.version.decision)
        return dg.MaterializeResult(metadata=_metadata(registry, done), check_results=[_gate_check(key, done)])

    return model


def _documents_number(documents: ModelDocuments) -> int:
    """63 bits that change with the documents a training set is made by."""
    text = config_hash(documents.training) + config_hash(documents.features)
    return int(hashlib.sha256(text.encode()).hexdigest()[:16], 16) >> 1


def _cause(tags: Mapping[str, str]) -> dict[str, str]:
    """Who asked for the run, from the tags that the sensor gave it."""
    return {
        name: tags[f"mlops/{tag}"]
        for name, tag in (("window", "window"), ("cause", "reason"))
        if f"mlops/{tag}" in tags
    }


def _gate_check(key: dg.AssetKey, done: Candidate) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=done.version.passed,
        asset_key=key,
        check_name=GATE,
        severity=dg.AssetCheckSeverity.WARN,
        description=done.version.decision,
        metadata={"version": done.version.version, **numbers(done.version.numbers)},
    )


def _metadata(registry: ModelRegistry, done: Candidate) -> dict[str, Any]:
    version = done.version
    return {
        "version": version.version,
        "trained": done.trained,
        "gate": version.tag("gate"),
        "decision": version.decision,
        "cause": version.cause or "asked for by a person or a schedule",
        "mlflow_run": version.run_id,
        "mlflow": dg.MetadataValue.url(registry.url(version)),
        "rows": done.rows,
        "rows_without_label": done.dropped,
        **numbers(done.metrics),
        **_search_metadata(done.searched),
        **({"slices": markdown_table(done.slices.to_dicts(), done.slices.columns)} if done.slices.height else {}),
        **{title: image(png, title) for title, png in done.figures.items()},
    }


def _search_metadata(searched: Searched | None) -> dict[str, Any]:
    if searched is None:
        return {}
    best = searched.trials.sort("score", descending=metric(searched.metric).greater_is_better, nulls_last=True)
    rows = best.head(SHOWN_TRIALS).drop("reason").to_dicts()
    chosen = {"hyperparameters": dg.MetadataValue.json(dict(searched.hyperparameters))}
    return {**chosen, **numbers(searched.metrics), "search": markdown_table(rows, list(rows[0]))}
