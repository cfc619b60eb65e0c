"""Guard metrics, fairness bounds, whole groups in the bootstrap, and the champion's signature."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from mlops_assets.config import TrainingConfig
from mlops_assets.features.errors import FeatureError
from mlops_assets.registry import ModelRegistry
from mlops_assets.training.bootstrap import paired_gains
from mlops_assets.training.candidate import Candidate, train
from mlops_assets.training.evaluation import Outcomes
from mlops_assets.training.fit import fit
from mlops_assets.training.gates import GateDecision, decide
from mlops_assets.training.lineage import lineage_of
from mlops_assets.training.metrics import metric, tracked
from mlops_assets.training.prepared import truth_of
from mlops_assets_tests.training.documents import features, training, two_clouds

ROWS = two_clouds(1_500).with_columns(side=pl.when(pl.col("x2") > 0.4).then(pl.lit("right")).otherwise(pl.lit("left")))


def config(columns: list[str], **gate: Any) -> TrainingConfig:
    return training(columns, algorithm="logistic_regression", gate={"bootstrap_samples": 200, **gate})


def judged(new: TrainingConfig, old: TrainingConfig | None = None, rows: pl.DataFrame = ROWS) -> GateDecision:
    one, other = (fit(each, features(), rows) if each else None for each in (new, old))
    assert one is not None
    return decide(
        one.pipeline,
        other.pipeline if other else None,
        one.held_out,
        truth_of(one.held_out, new),
        new,
        inputs=one.inputs,
        champion_inputs=other.inputs if other else (),
    )


def test_a_guard_metric_that_may_have_lost_too_much_refuses_a_better_model() -> None:
    poor = config(["x0"])
    passed = judged(config(["x0", "x1", "x2"], guard_metrics={"accuracy": 0.05}), poor)
    refused = judged(config(["x0"], guard_metrics={"accuracy": 0.02}), config(["x0", "x1", "x2"]))
    assert passed.promote
    assert "guard: accuracy gains -0." in refused.reasons[0]
    assert "may lose 0.02 at most" in refused.reasons[0]
    # Better in the gate's metric, and surely worse in the guarded one.
    harsh = training(
        ["x0", "x1", "x2"],
        algorithm="sklearn.svm.LinearSVC",
        hyperparameters={"class_weight": {True: 50.0, False: 1.0}},
        gate={"bootstrap_samples": 200, "guard_metrics": {"accuracy": 0.05}},
    )
    decision = judged(harsh, poor)
    assert decision.low is not None
    assert decision.low > 0
    assert not decision.promote
    assert len(decision.reasons) == 2
    assert decision.challenger["accuracy"] is not None


def test_a_fairness_bound_refuses_a_model_whose_groups_lie_apart() -> None:
    bound = {"column": "side", "metric": "positive_rate", "max_gap": 0.1, "min_rows": 30}
    apart = judged(config(["x0", "x1", "x2"], fairness=[bound]))
    assert not apart.promote
    assert apart.reasons[0].startswith("fairness: positive_rate by side is 0.")
    assert "for right and 0." in apart.reasons[0]
    assert judged(config(["x0", "x1", "x2"], fairness=[{**bound, "max_gap": 0.9}])).promote
    alike = judged(config(["x0", "x1"], fairness=[{**bound, "metric": "accuracy", "max_gap": 0.2}]))
    assert alike.promote
    assert "accuracy" in tracked(config(["x0"], fairness=[{**bound, "metric": "accuracy"}]))


def test_a_fairness_bound_that_cannot_be_judged_refuses() -> None:
    few = judged(config(["x0"], fairness=[{"column": "side", "max_gap": 1.0, "min_rows": 10_000}]))
    assert "positive_rate by side cannot be judged: 0 groups have 10000 held-out rows and a value" in few.reasons[0]
    with pytest.raises(FeatureError, match="the training rows has no column 'sied'; did you mean 'side'"):
        judged(config(["x0"], fairness=[{"column": "sied", "max_gap": 1.0}]))


def test_whole_groups_are_drawn_so_that_copies_of_a_row_bring_no_certainty() -> None:
    random = np.random.default_rng(0)
    truth = np.repeat(random.random(60) < 0.5, 20)
    better, worse = (np.repeat(random.random(60) < share, 20) == truth for share in (0.6, 0.5))
    said = [Outcomes(np.where(right, truth, ~truth), [False, True]) for right in (better, worse)]
    groups = np.repeat(np.arange(60), 20)

    def spread(**given: Any) -> float:
        gains = paired_gains(metric("accuracy"), said[0], said[1], truth, samples=2_000, seed=1, **given)
        return float(gains.std())

    once = [Outcomes(each.labels[::20], [False, True]) for each in said]
    alone = paired_gains(metric("accuracy"), once[0], once[1], truth[::20], samples=2_000, seed=1)
    assert spread(groups=groups) == pytest.approx(float(alone.std()), rel=1e-9)
    assert spread() == pytest.approx(spread(groups=groups) / 20**0.5, rel=0.1)


def test_an_instant_is_resampled_by_its_days() -> None:
    by_day = judged(config(["x0", "x1", "x2"], resample_by="time"), config(["x0"]))
    days = fit(config(["x0"]), features(), ROWS).held_out["time"].dt.date().n_unique()
    assert f"rows in {days} groups: gain" in by_day.reasons[-1]
    by_side = judged(config(["x0", "x1", "x2"], resample_by="side"), config(["x0"]))
    assert "rows in 2 groups: gain" in by_side.reasons[-1]


def candidate(registry: ModelRegistry, wanted: TrainingConfig, number: int, rows: pl.DataFrame = ROWS) -> Candidate:
    lineage = lineage_of(wanted, features(), {"/table": number})
    return train(wanted, features(), rows, registry, lineage, cause={})


def test_a_model_that_cannot_answer_the_champions_requests_is_refused_unless_that_is_asked_for(tmp_path: Path) -> None:
    registry = ModelRegistry.below(tmp_path)
    registry.promote(candidate(registry, config(["x0"]), 1).version)
    wider = candidate(registry, config(["x0", "x1", "x2"]), 2).version
    assert not wider.passed
    assert "it takes 'x1', which requests to the champion do not bring" in wider.decision
    assert "gate.signature: any" in wider.decision
    assert candidate(registry, config(["x0", "x1", "x2"], signature="any"), 3).version.passed
    texts = ROWS.with_columns(x0=pl.col("x0").round(0).cast(pl.String))
    as_texts = candidate(registry, config(["x0"]), 4, texts).version
    assert "it takes 'x0' as string, the champion as double" in as_texts.decision
    numbers = ROWS.with_columns(label=pl.col("label").cast(pl.Int64))
    other = candidate(registry, config(["x0"]), 5, numbers).version
    assert "it answers prediction (long), probability (double), the champion prediction (boolean)" in other.decision
