"""Training documents: the rows to learn from, and the model that was learned from them and judged."""

import hashlib
from collections.abc import Mapping
from typing import Any

import polars as pl

from mlops_assets.config import Project, TrainingConfig, config_hash
from mlops_assets.config.lineage import ModelDocuments
from mlops_assets.lake import delta
from mlops_assets.lake.locations import Warehouse
from mlops_assets.registry import ModelRegistry, ModelVersion
from mlops_assets.steps.metadata import image, markdown_table, numbers, table_metadata
from mlops_assets.steps.result import Check, MetadataValue, StepResult, StepRun
from mlops_assets.steps.retraining_rows import first_row
from mlops_assets.steps.tables import locate
from mlops_assets.training.candidate import Candidate, train
from mlops_assets.training.dataset import training_frame
from mlops_assets.training.learnable import unlabelled
from mlops_assets.training.lineage import lineage_of
from mlops_assets.training.metrics import metric
from mlops_assets.training.search import Searched
from mlops_assets.training.size import training_rows

GATE = "gate"
SHOWN_TRIALS = 10
SHOWN_VERSIONS = 20
NO_ALARM = "asked for by a person or a schedule"


def training_set(project: Project, documents: ModelDocuments, lake: Warehouse, run: StepRun) -> StepResult:
    """The training set; rewritten if a table or a document has changed since, or an alarm asks for other rows.

    Raises:
        LakeError, FeatureError: the documents do not fit the tables.
        TrainingError: memory would not hold the rows.
    """
    config = documents.features.config
    table = lake.table(project.name, "gold", documents.training_set)
    sources = _source_tables(project, documents, lake)
    features = delta.scan(sources["features"])
    condition = first_row(run.tags, project, documents, features)
    number = _documents_number(documents, condition)
    made_of = {name: delta.latest(path) for name, path in sources.items()} | {"documents": number}
    if any(delta.transaction_version(table, name) != version for name, version in made_of.items()):
        selected = features if condition is None else features.filter(condition)
        rows = training_frame(selected, delta.scan(sources["source"]), documents.training.config, config)
        delta.overwrite(table, rows, transactions=made_of)
    return StepResult(metadata=table_metadata(table, keys=config.primary_keys))


def model(
    project: Project,
    documents: ModelDocuments,
    config: TrainingConfig,
    lake: Warehouse,
    registry: ModelRegistry,
    run: StepRun,
    *,
    again: bool = False,
) -> StepResult:
    """A registered version of the model, with the gate's decision.

    `config` is the document with the values chosen for this run. The same version is not trained twice, unless `again`.

    Raises:
        LakeError, TrainingError, FeatureError: the documents do not fit the rows.
    """
    table = lake.table(project.name, "gold", documents.training_set)
    version = delta.latest(table)
    rows = delta.scan(table, version)
    candidate = train(
        config,
        documents.features.config,
        training_rows(rows, config, documents.features.config),
        registry,
        lineage_of(
            config, documents.features.config, {table: version}, _source_versions(project, documents, lake, table)
        ),
        cause=_cause(run.tags),
        again=again,
        studies=lake.home / "studies.db",
    )
    return StepResult(
        metadata={**_metadata(registry, candidate), "rows_without_label": unlabelled(rows, config)},
        checks=[_gate_check(candidate)],
        log=f"version {candidate.version.version} {candidate.version.tag('gate')}: {candidate.version.decision}",
    )


def _source_tables(project: Project, documents: ModelDocuments, lake: Warehouse) -> dict[str, str]:
    """The paths of a training set's source tables, by the names of their transactions in its log."""
    return {
        "features": lake.table(project.name, "gold", documents.features.name),
        "source": locate(project, documents.features.config.source_table, lake),
    }


def _source_versions(project: Project, documents: ModelDocuments, lake: Warehouse, table: str) -> dict[str, int]:
    """The Delta version, by path, of each source table of the training set `table`."""
    versions = {
        path: delta.transaction_version(table, name) for name, path in _source_tables(project, documents, lake).items()
    }
    return {path: version for path, version in versions.items() if version is not None}


def _documents_number(documents: ModelDocuments, condition: pl.Expr | None) -> int:
    """A 63-bit hash of the documents of a training set and of the condition on a retraining's rows."""
    text = (
        config_hash(documents.training)
        + config_hash(documents.features)
        + ("" if condition is None else str(condition))
    )
    return int(hashlib.sha256(text.encode()).hexdigest()[:16], 16) >> 1


def _cause(tags: Mapping[str, str]) -> dict[str, str]:
    """The alarm that requested the run, from the tags set by the sensor."""
    return {
        name: tags[f"mlops/{tag}"]
        for name, tag in (("window", "window"), ("cause", "reason"))
        if f"mlops/{tag}" in tags
    }


def _gate_check(candidate: Candidate) -> Check:
    figures = {"version": candidate.version.version, **numbers(candidate.version.numbers)}
    return Check(GATE, candidate.version.passed, candidate.version.decision, figures, warns=True)


def _metadata(registry: ModelRegistry, candidate: Candidate) -> dict[str, Any]:
    version = candidate.version
    return {
        "version": version.version,
        "trained": candidate.trained,
        "gate": version.tag("gate"),
        "decision": version.decision,
        "cause": version.cause or NO_ALARM,
        "versions": markdown_table(_history(registry, version), ["version", "window", "cause", "gate", "decision"]),
        "tables": MetadataValue("json", {**version.table_versions, **version.made_of}),
        "mlflow_run": version.run_id,
        "mlflow": MetadataValue("url", registry.url(version)),
        "rows": candidate.rows,
        **numbers(candidate.metrics),
        **({"imputed_by_median": ", ".join(candidate.imputed)} if candidate.imputed else {}),
        **_search_metadata(candidate.searched),
        **(
            {"slices": markdown_table(candidate.slices.to_dicts(), candidate.slices.columns)}
            if candidate.slices.height
            else {}
        ),
        **{title: image(png, title) for title, png in candidate.figures.items()},
    }


def _history(registry: ModelRegistry, version: ModelVersion) -> list[dict[str, Any]]:
    """The newest versions first: which alarm led to each, and what the gate said."""
    newest = registry.versions(version.name)[: -SHOWN_VERSIONS - 1 : -1]
    return [
        {
            "version": one.version,
            "window": one.window,
            "cause": one.cause or NO_ALARM,
            "gate": one.tag("gate"),
            "decision": one.decision,
        }
        for one in newest
    ]


def _search_metadata(searched: Searched | None) -> dict[str, Any]:
    if searched is None:
        return {}
    best = searched.trials.sort("score", descending=metric(searched.metric).greater_is_better, nulls_last=True)
    rows = best.head(SHOWN_TRIALS).drop("reason").to_dicts()
    chosen = {"hyperparameters": MetadataValue("json", dict(searched.hyperparameters))}
    return {**chosen, **numbers(searched.metrics), "search": markdown_table(rows, list(rows[0]))}
