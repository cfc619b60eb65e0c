import numpy as np
import pytest

from mlops_assets.config.metric_names import MODEL_METRICS
from mlops_assets.training.evaluation import Outcomes, evaluate
from mlops_assets.training.metrics import CLUSTER, SHAPE, VALUE, metric
from mlops_assets.training.own_metrics import expected_calibration_error, specificity

RANDOM = np.random.default_rng(0)
TRUTH = RANDOM.random(300) < 0.4
SCORES = np.clip(RANDOM.normal(0.4 + 0.2 * TRUTH, 0.15), 0.01, 0.99)


@pytest.mark.parametrize("name", MODEL_METRICS)
def test_every_metric_a_document_may_name_is_computed(name: str) -> None:
    kind = metric(name).of
    if kind == VALUE:
        found, truth = Outcomes(SCORES + 1), SCORES + 1 + RANDOM.uniform(0, 0.1, 300)
    elif kind in (CLUSTER, SHAPE):
        found, truth = Outcomes(SCORES > 0.5, features=SCORES[:, None]), TRUTH
    else:
        found = Outcomes(SCORES > 0.5, [False, True], np.stack([1 - SCORES, SCORES], axis=1), SCORES)
        truth = TRUTH
    evaluation = evaluate(found, truth, [name])
    assert evaluation.values[name] is not None, evaluation.reasons


def test_a_negated_metric_keeps_its_sign_and_turns_its_direction() -> None:
    found = Outcomes(SCORES > 0.5, [False, True], np.stack([1 - SCORES, SCORES], axis=1), SCORES)
    values = evaluate(found, TRUTH, ["log_loss", "neg_log_loss"]).values
    assert values["neg_log_loss"] == -values["log_loss"]  # type: ignore[operator]
    assert metric("neg_log_loss").greater_is_better
    assert not metric("log_loss").greater_is_better


def test_calibration_error_of_known_bins() -> None:
    truth, said = np.array([0, 1, 1, 1]), np.array([0.15, 0.15, 0.95, 0.95])
    assert expected_calibration_error(truth, said) == pytest.approx((0.35 * 2 + 0.05 * 2) / 4)


def test_specificity_is_the_recall_of_the_negative_class() -> None:
    assert specificity([0, 0, 0, 1], [0, 0, 1, 1]) == pytest.approx(2 / 3)
