"""From a training set to a registered version with the gate's decision on it.

A version is known by its lineage: a hash of its documents, the Delta versions it read and this package's
version. Asking for it again finds it in the registry, so a run that was killed after it goes on from there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from mlops_assets.config import FeatureConfig, TrainingConfig
from mlops_assets.registry import ModelRegistry, ModelVersion
from mlops_assets.training.challenge import gate_decision
from mlops_assets.training.fit import fit, refit
from mlops_assets.training.gates import GateDecision
from mlops_assets.training.lineage import Lineage
from mlops_assets.training.search import Searched, search
from mlops_assets.training.trained import Trained


@dataclass(frozen=True, eq=False)
class Candidate:
    """A registered version and its metrics; its figures, slices and decision only where it was trained just now.
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
    searched = _searched(config, features, rows, lineage, studies) if config.search_space else None
    if searched is not None:
        config = config.model_copy(update={"hyperparameters": searched.hyperparameters})
    fitted = fit(config, features, rows)
    decision = gate_decision(fitted, registry)
    final = refit(fitted) if config.refit and decision.promote else fitted
    done = Trained(config, features, fitted, final, decision, searched)
    record = done.record(lineage, cause)
    version = registry.log(config.registry_model_name, config.experiment_name, config.run_name, record)
    return Candidate(
        version, True, fitted.metrics, decision, done.figures, fitted.rows.height, searched, done.slices, fitted.imputed
    )


def _searched(
    config: TrainingConfig, features: FeatureConfig, rows: pl.DataFrame, lineage: Lineage, studies: Path | None
) -> Searched:
    study = f"{config.registry_model_name} {lineage.digest}"
    return search(config, features, rows, study=study, storage=studies)


def _known(registry: ModelRegistry, version: ModelVersion) -> Candidate:
    """A version that was found, with the numbers of its run."""
    measured = dict(registry.metrics(version))
    rows = int(measured.pop("rows", 0))
    measured.pop("fit_seconds", None)
    return Candidate(version, trained=False, metrics=measured, rows=rows)
