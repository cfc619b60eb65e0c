"""Compares a fitted model with the champion on held-out rows that the champion was not trained on."""

import json

import polars as pl

from mlops_assets.config.training import TrainingConfig
from mlops_assets.registry import ModelRegistry, ModelVersion
from mlops_assets.training.fit import Fitted
from mlops_assets.training.gates import GateDecision, decide
from mlops_assets.training.metrics import gate_metric
from mlops_assets.training.prepared import truth_of
from mlops_assets.training.signature import Signature
from mlops_assets.trusted_types import load_model_file


def gate_decision(fitted: Fitted, registry: ModelRegistry) -> GateDecision:
    """The gate's decision, on the held-out rows that the champion was not trained on."""
    config = fitted.config
    held_out = fitted.held_out
    labels = truth_of(held_out, config)
    champion = registry.champion(config.registry_model_name)
    if champion is None:
        return decide(
            fitted.pipeline,
            None,
            held_out,
            labels,
            config,
            inputs=fitted.inputs,
            said=fitted.said,
            measured=fitted.measured,
        )
    path = registry.local_path(champion)
    signature = Signature.logged(path)
    broken = list(Signature.of(fitted).broken(signature)) if config.gate.signature == "compatible" else []
    if broken:
        hint = "set gate.signature: any to allow this"
        return GateDecision(False, [*broken, hint], gate_metric(config))
    unseen = _unseen(fitted, champion)
    if int(unseen.sum()) < config.gate.min_rows:
        return GateDecision(False, [_too_few_rows_text(unseen, champion, config)], gate_metric(config))
    return decide(
        fitted.pipeline,
        load_model_file(path / "model.skops"),
        held_out,
        labels,
        config,
        inputs=fitted.inputs,
        said=fitted.said,
        measured=fitted.measured,
        champion_inputs=signature.names,
        unseen=None if unseen.all() else unseen.to_numpy(),
    )


def _too_few_rows_text(unseen: pl.Series, champion: ModelVersion, config: TrainingConfig) -> str:
    later = f"{unseen.sum()} of {len(unseen)} held-out rows are later than what version {champion.version} learned from"
    rows = f"{len(unseen)} rows are held out" if unseen.all() else later
    return f"only {rows}, and gate.min_rows asks for {config.gate.min_rows} to compare two models"


def _unseen(fitted: Fitted, champion: ModelVersion) -> pl.Series:
    """A mask of the held-out rows that the champion was not trained on.

    All of them if the champion was split in the same way, or if there is no time to compare; else those later than
    all of its training rows.
    """
    held_out, until = fitted.held_out, champion.trained_until
    same_rows = champion.tag("rows_train") == fitted.splits.row_set_hash("train")
    stable_split = fitted.prepared.method in ("random", "grouped") and champion.tag("split") == split_text(fitted)
    same_split = (same_rows or stable_split) and champion.tag("refitted") != "true"
    if same_split or until is None or fitted.prepared.time not in held_out.columns:
        return pl.repeat(value=True, n=held_out.height, eager=True)
    return held_out[fitted.prepared.time] > until


def split_text(fitted: Fitted) -> str:
    """The split's settings as JSON; with equal settings, a random or grouped split puts a row in the same part."""
    config = fitted.config
    return json.dumps([fitted.prepared.method, config.split_ratios, config.random_seed, config.group_column])
