"""Which way each metric is better, so that an alert threshold knows whether above or below it is bad."""

from difflib import get_close_matches

from mlops_assets.config.metric_names import is_model_metric
from mlops_assets.training.metrics import metric as metric_of

PREFIXES = ("model_", "estimated_")

ALIASES = {
    "auc": "roc_auc",
    "auroc": "roc_auc",
    "roc_auc_score": "roc_auc",
    "accuracy_score": "accuracy",
    "brier": "brier_score",
    "brier_score_loss": "brier_score",
    "logloss": "log_loss",
    "f1": "f1_score",
    "precision_score": "precision",
    "recall_score": "recall",
    "r2_score": "r2",
    "pr_auc": "average_precision",
    "average_precision_score": "average_precision",
    "balanced_accuracy_score": "balanced_accuracy",
    "mean_absolute_error": "mae",
    "mean_squared_error": "mse",
    "root_mean_squared_error": "rmse",
}

HIGHER = frozenset(
    {
        "accuracy",
        "average_precision",
        "balanced_accuracy",
        "coverage",
        "data_quality",
        "f1_score",
        "precision",
        "r2",
        "recall",
        "roc_auc",
        "throughput",
    }
)

LOWER = frozenset(
    {
        "brier_score",
        "data_drift",
        "error_rate",
        "feature_drift",
        "label_drift",
        "latency",
        "log_loss",
        "mae",
        "mse",
        "null_rate",
        "prediction_drift",
        "rmse",
        "staleness",
    }
)


def canonical(metric: str) -> str:
    """One name per metric: `model_accuracy` is accuracy, `f1` is f1_score, `estimated_roc_auc` is roc_auc."""
    name = metric.strip().lower()
    for prefix in PREFIXES:
        name = name.removeprefix(prefix)
    return ALIASES.get(name, name)


def higher_is_better(metric: str) -> bool:
    """True for accuracy and its like, False for losses, errors and drift; ValueError if unknown."""
    name = canonical(metric)
    if name in HIGHER:
        return True
    if is_model_metric(name):
        return metric_of(name).greater_is_better
    if name in LOWER or name.endswith(("_drift", "_latency", "_error", "_loss", "_ms", "_seconds")):
        return False
    raise ValueError(f"unknown metric {metric!r}; {nearest_metric(name, HIGHER | LOWER)}")


def nearest_metric(name: str, known: frozenset[str]) -> str:
    """The end of an error's sentence: the nearest known name, else all of them."""
    nearest = get_close_matches(name, sorted(known | set(ALIASES)), n=1)
    return f"did you mean {nearest[0]!r}?" if nearest else f"take one of {', '.join(sorted(known))}"
