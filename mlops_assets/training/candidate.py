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
from mlops_assets.features.frames import signature_types
from mlops_assets.registry import PASSED, REFUSED, ModelRegistry, ModelVersion, Training
from mlops_assets.training.fit import Fitted, fit, refit
from mlops_assets.training.gates import GateDecision, decide
from mlops_assets.training.plots import figures
from mlops_assets.training.prepared import truth_of
from mlops_assets.training.record import FILE, TrainingRecord
from mlops_assets.training.search import Searched, search
from mlops_assets.trusted_types import load_model_file

MINIMUM_COMPARED = 200


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
    """A registered version; what was measured and drawn, where it was trained now and not found."""

    version: ModelVersion
    trained: bool
    metrics: Mapping[str, float] = field(default_factory=dict)
    decision: GateDecision | None = None
    figures: Mapping[str, bytes] = field(default_factory=dict)
    rows: int = 0
    dropped: int = 0
    searched: Searched | None = None


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
    known = None if again else registry.with_tag(config.registry_model_name, "lineage", lineage.digest)
    if known is not None:
        return Candidate(known, trained=False)
    study = f"{config.registry_model_name} {lineage.digest}"
    searched = search(config, features, rows, study=study, storage=studies) if config.search_space else None
    if searched is not None:
        config = config.model_copy(update={"hyperparameters": searched.hyperparameters})
    fitted = fit(config, features, rows)
    decision = _judged(fitted, config, registry)
    final = refit(fitted) if config.refit and decision.promote else fitted
    drawn = figures(fitted)
    version = registry.log(
        config.registry_model_name,
        config.experiment_name,
        config.run_name,
        Training(
            final.pipeline,
            inputs=signature_types(fitted.rows.schema, fitted.inputs),
            outputs=_outputs(fitted, config),
            params={"algorithm": type(fitted.pipeline[-1]).__name__, **config.hyperparameters},
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
            files={
                FILE: _record(config, features, final, lineage).model_dump_json(indent=1),
                **({"search.csv": searched.trials.write_csv()} if searched else {}),
            },
        ),
    )
    return Candidate(version, True, fitted.metrics, decision, drawn, fitted.rows.height, fitted.dropped, searched)


def _record(config: TrainingConfig, features: FeatureConfig, fitted: Fitted, lineage: Lineage) -> TrainingRecord:
    splits = {name: fitted.splits.row_set_hash(name) for name in fitted.splits.rows}
    return TrainingRecord.of((config, features), lineage.tables, fitted.rows, splits, refitted=fitted.refitted)


def _judged(fitted: Fitted, config: TrainingConfig, registry: ModelRegistry) -> GateDecision:
    """The gate's decision on the held-out rows that the champion has not learned from."""
    held_out = fitted.held_out
    labels = truth_of(held_out, config)
    champion = registry.champion(config.registry_model_name)
    if champion is None:
        return decide(fitted.pipeline, None, held_out, labels, config, inputs=fitted.inputs)
    path = registry.local_path(champion)
    unseen = _unseen(fitted, champion)
    if int(unseen.sum()) < MINIMUM_COMPARED:
        new = int(unseen.sum())
        reason = f"only {new} held-out rows are later than what version {champion.version} learned from"
        return GateDecision(False, [f"{reason}: {MINIMUM_COMPARED} are needed to compare"], config.gate.metric or "")
    return decide(
        fitted.pipeline,
        load_model_file(path / "model.skops"),
        held_out,
        labels,
        config,
        inputs=fitted.inputs,
        champion_inputs=_names(path),
        unseen=unseen.to_numpy(),
    )


def _unseen(fitted: Fitted, champion: ModelVersion) -> pl.Series:
    """Which held-out rows the champion has not learned from.

    All of them where it was held out from the same rows; else those that are later than all it learned from.
    """
    held_out, until = fitted.held_out, champion.trained_until
    same_rows = champion.tag("rows_train") == fitted.splits.row_set_hash("train")
    lasting = fitted.prepared.method in ("random", "grouped") and champion.tag("split") == _split(fitted)
    alike = (same_rows or lasting) and champion.tag("refitted") != "true"
    if alike or until is None or fitted.prepared.time not in held_out.columns:
        return pl.repeat(value=True, n=held_out.height, eager=True)
    return held_out[fitted.prepared.time] > until


def _split(fitted: Fitted) -> str:
    """How rows were split; a random or grouped split of the same text keeps each row where it was."""
    config = fitted.config
    return json.dumps([fitted.prepared.method, config.split_ratios, config.random_seed, config.group_column])


def _names(path: Any) -> list[str]:
    """The input columns of a logged model, from its signature."""
    import yaml

    signature = yaml.safe_load((path / "MLmodel").read_text())["signature"]
    return [entry["name"] for entry in json.loads(signature["inputs"])]


def _outputs(fitted: Fitted, config: TrainingConfig) -> list[tuple[str, str]]:
    if config.model_type != "classification":
        return [("prediction", "double")]
    kind = str(truth_of(fitted.rows.head(1), config).dtype)
    label = {"bool": "boolean", "int64": "long"}.get(kind, "string")
    return [("prediction", label), ("probability", "double")]


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
        "mlops.split": _split(fitted),
        "mlops.refitted": str(fitted.refitted).lower(),
        "mlops.trained_until": through.isoformat() if through is not None else "",
        "mlops.gate": PASSED if decision.promote else REFUSED,
        "mlops.decision": "; ".join(decision.reasons),
        "mlops.numbers": json.dumps(_numbers(decision)),
        **hashes,
    }


def _numbers(decision: GateDecision) -> dict[str, float]:
    named = {"gain": decision.gain, "low": decision.low, "high": decision.high, "rows": float(decision.rows)}
    both = {"challenger": decision.challenger, "champion": decision.champion}
    scores = {f"{who}_{decision.metric}": values.get(decision.metric) for who, values in both.items()}
    return {name: value for name, value in {**named, **scores}.items() if value is not None}
