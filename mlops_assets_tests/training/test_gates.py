from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn import metrics

from mlops_assets.rules import RuleError
from mlops_assets.training.bootstrap import paired_gains, statistic
from mlops_assets.training.evaluation import Outcomes, value_of
from mlops_assets.training.fit import Fitted, fit
from mlops_assets.training.gates import GateDecision, decide
from mlops_assets.training.metrics import metric
from mlops_assets.training.prepared import truth_of
from mlops_assets_tests.training.documents import features, training, two_clouds

ROWS = two_clouds(1_500)


def model(columns: list[str], **fields: object) -> Fitted:
    return fit(training(columns, algorithm="logistic_regression", **fields), features(), ROWS)


def judged(new: Fitted, old: Fitted | None, **fields: Any) -> GateDecision:
    labels = truth_of(new.held_out, new.config)
    return decide(
        new.pipeline,
        old.pipeline if old else None,
        new.held_out,
        labels,
        new.config,
        inputs=new.inputs,
        champion_inputs=old.inputs if old else (),
        **fields,
    )


GOOD, POOR = model(["x0", "x1", "x2"]), model(["x0"])


def test_a_better_challenger_is_promoted_and_a_worse_one_refused() -> None:
    better, worse = judged(GOOD, POOR), judged(POOR, GOOD)
    assert better.promote
    assert better.gain is not None
    assert better.low is not None
    assert 0 < better.low < better.gain
    assert not worse.promote
    assert worse.gain == pytest.approx(-better.gain)
    assert "not surely above 0" in worse.reasons[-1]


def test_the_same_model_again_gains_nothing() -> None:
    decision = judged(GOOD, GOOD)
    assert not decision.promote
    assert decision.gain == decision.low == decision.high == 0.0


def test_the_first_model_passes_where_the_criteria_hold() -> None:
    passed = judged(model(["x0", "x1", "x2"], promotion_criteria="roc_auc >= 0.7 and brier_score < 0.25"), None)
    refused = judged(model(["x0"], promotion_criteria=["accuracy > 0", "roc_auc >= 0.99"]), None)
    assert passed.promote
    assert not refused.promote
    assert refused.reasons[0].startswith("'roc_auc >= 0.99' does not hold: roc_auc is 0.")


def test_a_better_model_that_breaks_a_criterion_is_refused() -> None:
    strict = model(["x0", "x1", "x2"], promotion_criteria="log_loss < 0.01")
    decision = judged(strict, POOR)
    assert decision.low is not None
    assert decision.low > 0
    assert not decision.promote


def test_a_criterion_over_something_that_is_no_metric_is_refused_by_name() -> None:
    with pytest.raises(RuleError, match="roc_acu"):
        judged(model(["x0"], promotion_criteria="roc_acu > 0.5"), None)


def test_a_minimum_gain_has_to_be_beaten_with_confidence() -> None:
    gain = judged(GOOD, POOR).gain
    assert gain is not None
    assert not judged(model(["x0", "x1", "x2"], gate={"min_gain": gain}), POOR).promote


def test_only_rows_the_champion_has_not_learned_from_are_compared() -> None:
    unseen = np.arange(GOOD.held_out.height) % 2 == 0
    decision = judged(GOOD, POOR, unseen=unseen)
    assert decision.rows == int(unseen.sum())
    alone = judged(GOOD, POOR, unseen=np.zeros_like(unseen))
    assert not alone.promote
    assert "undefined on the 0 rows" in alone.reasons[-1]


def test_a_smaller_error_is_a_gain() -> None:
    rows = ROWS.with_columns(label=pl.sum_horizontal("x0", "x1"))
    good, poor = (
        fit(training(each, model_type="regression", algorithm="linear"), features(), rows)
        for each in (["x0", "x1"], ["x0"])
    )
    decision = judged(good, poor)
    assert decision.metric == "rmse"
    assert decision.promote
    assert decision.gain is not None
    assert decision.gain > 0


def classifier(scores: Any) -> Outcomes:
    return Outcomes(scores > 0.5, [False, True], np.stack([1 - scores, scores], axis=1), scores)


@pytest.mark.parametrize(
    "name",
    ["roc_auc", "log_loss", "brier_score", "accuracy", "f1", "average_precision", "balanced_accuracy", "cohen_kappa"],
)
def test_a_weighted_statistic_is_the_metric_of_the_resampled_rows(name: str) -> None:
    random = np.random.default_rng(0)
    truth = random.random(400) < 0.3
    # Rounding makes ties.
    found = classifier(np.round(np.clip(random.normal(0.4 + 0.2 * truth, 0.2), 0.02, 0.98), 2))
    rows = random.integers(0, 400, 400)
    expected, _ = value_of(metric(name), found.at(rows), truth[rows])
    counts = np.bincount(rows, minlength=400).astype(float)
    assert statistic(metric(name), found, truth)(counts) == pytest.approx(expected, abs=1e-12)


def test_the_paired_interval_is_narrower_than_that_of_two_models_apart() -> None:
    random = np.random.default_rng(1)
    truth = random.random(2_000) < 0.3
    base = random.normal(size=2_000) + truth
    squash = lambda values: 1 / (1 + np.exp(-values))  # noqa: E731
    old, new = classifier(squash(base)), classifier(squash(base + 0.1 * truth))
    gains = paired_gains(metric("roc_auc"), new, old, truth, samples=300)
    alone = paired_gains(metric("roc_auc"), new, classifier(np.full(2_000, 0.5)), truth, samples=300)
    expected = metrics.roc_auc_score(truth, new.scores) - metrics.roc_auc_score(truth, old.scores)
    assert gains.mean() == pytest.approx(expected, abs=3 * gains.std())
    assert gains.std() < alone.std() / 3


def test_a_clusters_silhouette_is_computed_once_and_resampled(monkeypatch: pytest.MonkeyPatch) -> None:
    random, calls = np.random.default_rng(0), []
    cells = np.concatenate([random.normal(size=(300, 2)), random.normal(3, 1, size=(300, 2))])
    one, two = (Outcomes((cells[:, 0] > cut).astype(int), features=cells) for cut in (1.5, 0.5))
    whole = metrics.silhouette_samples

    def counted(*given: Any) -> Any:
        calls.append(given)
        return whole(*given)

    monkeypatch.setattr(metrics, "silhouette_samples", counted)
    gains = paired_gains(metric("silhouette"), one, two, np.zeros(600), samples=200)
    difference = metrics.silhouette_score(cells, one.labels) - metrics.silhouette_score(cells, two.labels)
    assert len(calls) == 2
    assert gains.mean() == pytest.approx(difference, abs=0.01)
    assert gains.std() < 0.1
