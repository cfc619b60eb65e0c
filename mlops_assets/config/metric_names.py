"""The names of metrics that a document may use; the training package computes them."""

from collections.abc import Collection
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from mlops_assets.config.base import refuse_unknown

MONITOR_METRICS = ("prediction_drift", "feature_drift", "label_drift", "data_quality")

CLASSIFICATION_METRICS = (
    *("accuracy", "balanced_accuracy", "precision", "recall", "f1", "f1_score", "fbeta_score", "specificity"),
    *(
        "precision_macro",
        "precision_micro",
        "precision_weighted",
        "recall_macro",
        "recall_micro",
        "recall_weighted",
    ),
    *("f1_macro", "f1_micro", "f1_weighted", "jaccard", "jaccard_macro", "jaccard_micro", "jaccard_weighted"),
    *("roc_auc", "roc_auc_ovo", "roc_auc_ovr", "roc_auc_ovo_weighted", "roc_auc_ovr_weighted"),
    *("average_precision", "pr_auc", "log_loss", "brier_score", "brier_score_loss", "matthews_corrcoef"),
    *("cohen_kappa", "top_k_accuracy", "hamming_loss", "zero_one_loss", "hinge_loss"),
    *("d2_brier_score", "d2_log_loss_score", "positive_likelihood_ratio", "expected_calibration_error"),
)
REGRESSION_METRICS = (
    *("rmse", "mse", "mae", "mape", "r2", "max_error", "explained_variance", "median_absolute_error"),
    *(
        "mean_squared_error",
        "root_mean_squared_error",
        "mean_absolute_error",
        "mean_absolute_percentage_error",
    ),
    *(
        "mean_squared_log_error",
        "root_mean_squared_log_error",
        "mean_poisson_deviance",
        "mean_gamma_deviance",
    ),
    *("mean_tweedie_deviance", "mean_pinball_loss", "d2_absolute_error_score", "d2_pinball_score"),
)
CLUSTERING_METRICS = (
    *("silhouette", "calinski_harabasz", "davies_bouldin", "adjusted_rand", "adjusted_mutual_info"),
    *(
        "normalized_mutual_info",
        "mutual_info",
        "rand",
        "homogeneity",
        "completeness",
        "v_measure",
        "fowlkes_mallows",
    ),
)
MODEL_METRICS = (*CLASSIFICATION_METRICS, *REGRESSION_METRICS, *CLUSTERING_METRICS)


METRICS_OF = {
    "classification": CLASSIFICATION_METRICS,
    "anomaly_detection": CLASSIFICATION_METRICS,
    "regression": REGRESSION_METRICS,
    "clustering": CLUSTERING_METRICS,
}


def is_model_metric(name: str, among: Collection[str] = MODEL_METRICS) -> bool:
    """Whether scikit-learn computes it under this name, also as `neg_…` or `…_score`."""
    bare = name.removeprefix("neg_")
    return any(form in among for form in (bare, bare.removesuffix("_score"), f"{bare}_score"))


def check_model_metric(name: Any) -> Any:
    """Passes the name of a model's metric; any other is refused with the nearest one."""
    if not is_model_metric(name):
        raise refuse_unknown("metric", name, MODEL_METRICS)
    return name


def check_monitor_metric(name: Any) -> Any:
    """Passes a drift or data quality metric, or a model's with or without the prefix `model_`."""
    if name not in MONITOR_METRICS and not is_model_metric(name.removeprefix("model_")):
        known = (*MONITOR_METRICS, *(f"model_{each}" for each in MODEL_METRICS), *MODEL_METRICS)
        raise refuse_unknown("metric", name, known)
    return name


def _listed(*names: str) -> dict[str, Any]:
    """For editors: the names, and scikit-learn's other forms of them."""
    return {"anyOf": [{"enum": list(names)}, {"pattern": "^(model_)?neg_|_score$"}]}


ModelMetric = Annotated[str, AfterValidator(check_model_metric), Field(json_schema_extra=_listed(*MODEL_METRICS))]
MonitorMetric = Annotated[
    str,
    AfterValidator(check_monitor_metric),
    Field(
        json_schema_extra=_listed(*MONITOR_METRICS, *MODEL_METRICS, *(f"model_{metric}" for metric in MODEL_METRICS))
    ),
]
