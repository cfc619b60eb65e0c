import pytest

from mlops_assets.monitoring.directions import canonical, higher_is_better
from mlops_assets.monitoring.metrics import METRICS


@pytest.mark.parametrize(
    "metric", ["model_accuracy", "roc_auc", "estimated_roc_auc", "f1", "precision", "r2", "data_quality"]
)
def test_more_is_better(metric):
    assert higher_is_better(metric)


@pytest.mark.parametrize(
    "metric",
    [
        "prediction_drift",
        "feature_drift",
        "log_loss",
        "brier",
        "rmse",
        "model_mae",
        "p95_latency",
        "tenure_drift",
    ],
)
def test_less_is_better(metric):
    assert not higher_is_better(metric)


def test_every_metric_has_a_direction():
    assert {name for name in METRICS if higher_is_better(name)} == {
        "accuracy",
        "average_precision",
        "balanced_accuracy",
        "f1_score",
        "precision",
        "r2",
        "recall",
        "roc_auc",
    }


def test_an_unknown_metric_names_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'accuracy'"):
        higher_is_better("model_acuracy")


def test_names_of_one_metric_are_one_name():
    assert {canonical(name) for name in ("auc", "roc_auc_score", "model_roc_auc", " ROC_AUC ")} == {"roc_auc"}
