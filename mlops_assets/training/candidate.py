"""From a training set to a registered version with the gate's decision on it.

A version is known by its lineage: a hash of its documents, the Delta versions it read and this package's
version. Asking for it again finds it in the registry, so a run that was killed after it goes on from there.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from mlops_assets.config import FeatureConfig, TrainingConfig
from mlops_assets.registry import ModelRegistry, ModelVersion, Training
from mlops_assets.training.challenge import judged
from mlops_assets.training.estimators import algorithm_path
from mlops_assets.training.example import typical_row
from mlops_assets.training.fit import Fitted, fit, refit
from mlops_assets.training.gates import GateDecision
from mlops_assets.training.importance import permutation_importance
from mlops_assets.training.lineage import Lineage
from mlops_assets.training.plots import figures
from mlops_assets.training.record import FILE, TrainingRecord
from mlops_assets.training.search import Searched, search
from mlops_assets.training.signature import Signature
from mlops_assets.training.slices import sliced
from mlops_assets.training.tags import version_tags


@dataclass(frozen=True, eq=False)
class Candidate:
    """A registered version and what was measured; what was drawn and decided, where it was trained now and not found.
    `imputed` are the columns whose nulls became the training rows' median.
    """

    version: ModelVersion
    trained: bool
    metrics: Mapping[str, float] = field(default_factory=dict)
    decision: GateDecision | None = None
    figures: Mapping[str, bytes] = field(default_factory=dict)
    rows: int = 0
    searched: Searched | None = None
    slices: pl.DataFrame = field(default_factory=pl.DataFrame)
    imputed: tuple[str, ...] = ()


def train(
    config: TrainingConfig,
    features: FeatureConfig,
    rows: pl.DataFrame,
    registry: ModelRegistry,
    lineage: Lineage,
    *,
    cause: Mapping[str, str],
    again: bool = False,
    studies: Path | None = None,
) -> Candidate:
    """Train on `rows`, compare with the champion on rows that neither has seen, and register the version.

    `cause` are tags that say who asked (`window`, `cause`). A version of the same lineage is returned as it
    is, unless `again`. `studies` is the SQLite file in which a search of hyperparameters is kept, so that a run that
    was killed goes on with it.

    Raises:
        TrainingError, FeatureError: the rows or the estimator do not fit the document.
    """
    known = None if again else registry.with_tag(config.registry_model_name, "lineage", lineage.digest)
    if known is not None:
        registry.challenge(known)
        return _known(registry, known)
    study = f"{config.registry_model_name} {lineage.digest}"
    searched = search(config, features, rows, study=study, storage=studies) if config.search_space else None
    if searched is not None:
        config = config.model_copy(update={"hyperparameters": searched.hyperparameters})
    fitted = fit(config, features, rows)
    decision = judged(fitted, registry)
    final = refit(fitted) if config.refit and decision.promote else fitted
    importance = permutation_importance(fitted)
    drawn, by_slice, signature = figures(fitted, importance), sliced(fitted), Signature.of(fitted)
    version = registry.log(
        config.registry_model_name,
        config.experiment_name,
        config.run_name,
        Training(
            final.pipeline,
            inputs=signature.inputs,
            outputs=signature.outputs,
            params={"algorithm": algorithm_path(config).rpartition(".")[2], **config.hyperparameters},
            metrics={
                **fitted.metrics,
                **(searched.metrics if searched else {}),
                "rows": fitted.rows.height,
                "fit_seconds": fitted.seconds,
            },
            tags={
                **version_tags(final, decision, lineage),
                **{f"mlops.{name}": value for name, value in cause.items()},
            },
            figures=drawn,
            tables=lineage.tables,
            made_of=lineage.made_of,
            example=typical_row(fitted.rows, fitted.inputs),
            files={
                FILE: _record(config, features, final, lineage).model_dump_json(indent=1),
                **({"search.csv": searched.trials.write_csv()} if searched else {}),
                **({"importance.json": json.dumps(importance, indent=1)} if importance else {}),
                **({"slices.csv": by_slice.write_csv()} if by_slice.height else {}),
            },
        ),
    )
    return Candidate(
        version, True, fitted.metrics, decision, drawn, fitted.rows.height, searched, by_slice, fitted.imputed
    )


def _known(registry: ModelRegistry, version: ModelVersion) -> Candidate:
    """A version that was found, with the numbers of its run."""
    measured = dict(registry.metrics(version))
    rows = int(measured.pop("rows", 0))
    measured.pop("fit_seconds", None)
    return Candidate(version, trained=False, metrics=measured, rows=rows)


def _record(config: TrainingConfig, features: FeatureConfig, fitted: Fitted, lineage: Lineage) -> TrainingRecord:
    splits = {name: fitted.splits.row_set_hash(name) for name in fitted.splits.rows}
    return TrainingRecord.of((config, features), lineage.tables, fitted.rows, splits, refitted=fitted.refitted)
