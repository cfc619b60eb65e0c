"""From a training set to a registered version with the gate's decision on it.

A version is known by its lineage: a hash of its documents, the Delta versions it read and this package's
version. Asking for it again finds it in the registry, so a run that was killed after it goes on from there.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any

import polars as pl

from mlops_assets.config import FeatureConfig, TrainingConfig, config_hash
from mlops_assets.loading import no_garbage
from mlops_assets.registry import PASSED, REFUSED, ModelRegistry, ModelVersion, Training
from mlops_assets.training.challenge import judged, split_text
from mlops_assets.training.estimators import algorithm_path
from mlops_assets.training.example import typical_row
from mlops_assets.training.fit import Fitted, fit, refit
from mlops_assets.training.gates import GateDecision
from mlops_assets.training.importance import permutation_importance
from mlops_assets.training.plots import figures
from mlops_assets.training.record import FILE, TrainingRecord
from mlops_assets.training.search import Searched, search
from mlops_assets.training.signature import Signature
from mlops_assets.training.slices import sliced


@dataclass(frozen=True)
class Lineage:
    """What a version is made of: hashes of its documents, and the Delta version of each table by path."""

    config: str
    features: str
    tables: Mapping[str, int]

    @property
    def digest(self) -> str:
        """One hash of all of it and of this package's version."""
        parts = [
            self.config,
            self.features,
            package_version("mlops-assets"),
            json.dumps(self.tables, sort_keys=True),
        ]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@dataclass(frozen=True, eq=False)
class Candidate:
    """A registered version; what was measured and drawn, where it was trained now and not found. `imputed` are the
    columns whose nulls became the training rows' median.
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


def lineage_of(config: TrainingConfig, features: FeatureConfig, tables: Mapping[str, int]) -> Lineage:
    """The lineage of a training on tables at these Delta versions."""
    return Lineage(config_hash(config), config_hash(features), tables)


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
    with no_garbage():
        # Before MLflow: skops looks through all that is loaded already, and MLflow loads a thousand modules.
        import skops.io  # noqa: F401

    known = None if again else registry.with_tag(config.registry_model_name, "lineage", lineage.digest)
    if known is not None:
        registry.challenge(known)
        return Candidate(known, trained=False)
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
                **_tags(final, decision, lineage),
                **{f"mlops.{name}": value for name, value in cause.items()},
            },
            figures=drawn,
            tables=lineage.tables,
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


def _record(config: TrainingConfig, features: FeatureConfig, fitted: Fitted, lineage: Lineage) -> TrainingRecord:
    splits = {name: fitted.splits.row_set_hash(name) for name in fitted.splits.rows}
    return TrainingRecord.of((config, features), lineage.tables, fitted.rows, splits, refitted=fitted.refitted)


def _tags(fitted: Fitted, decision: GateDecision, lineage: Lineage) -> dict[str, str]:
    through = fitted.trained_through
    hashes = {f"mlops.rows_{name}": fitted.splits.row_set_hash(name) for name in fitted.splits.rows}
    return {
        "mlops.lineage": lineage.digest,
        "mlops.config_hash": lineage.config,
        "mlops.features_hash": lineage.features,
        "mlops.tables": json.dumps(lineage.tables),
        "mlops.code_version": package_version("mlops-assets"),
        "mlops.seed": str(fitted.config.random_seed),
        "mlops.split": split_text(fitted),
        "mlops.classes": json.dumps(_classes(fitted)),
        "mlops.refitted": str(fitted.refitted).lower(),
        "mlops.trained_until": through.isoformat() if through is not None else "",
        "mlops.gate": PASSED if decision.promote else REFUSED,
        "mlops.decision": "; ".join(decision.reasons),
        "mlops.numbers": json.dumps(_numbers(decision)),
        **hashes,
    }


def _classes(fitted: Fitted) -> list[Any]:
    """The labels that a classifier tells apart, ascending; none for other models."""
    known = getattr(fitted.pipeline, "classes_", None) if fitted.config.model_type == "classification" else None
    return [] if known is None else list(known.tolist())


def _numbers(decision: GateDecision) -> dict[str, float]:
    named = {"gain": decision.gain, "low": decision.low, "high": decision.high, "rows": float(decision.rows)}
    both = {"challenger": decision.challenger, "champion": decision.champion}
    scores = {f"{who}_{decision.metric}": values.get(decision.metric) for who, values in both.items()}
    return {name: value for name, value in {**named, **scores}.items() if value is not None}
