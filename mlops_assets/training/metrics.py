"""Every metric a document may name: its function, what it looks at and which way is better."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlops_assets.config.metric_names import MODEL_METRICS, is_model_metric
from mlops_assets.config.problems import did_you_mean
from mlops_assets.config.training import TrainingConfig
from mlops_assets.rules import columns, parse
from mlops_assets.training.errors import TrainingError

LABEL, PROBABILITY, SCORE, VALUE, CLUSTER, SHAPE = (
    "label",
    "probability",
    "score",
    "value",
    "cluster",
    "shape",
)


@dataclass(frozen=True)
class Metric:
    """A function of sklearn.metrics (or of ours), what it takes, and its direction.

    `of` is label (predicted classes), probability, score (ranks rows), value (regression), cluster (against
    true groups) or shape (clusters and features alone).
    """

    name: str
    function: str
    of: str
    greater_is_better: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)
    sign: int = 1

    @property
    def direction(self) -> int:
        """1 where more is better, else -1."""
        return 1 if self.greater_is_better else -1


def _averages(name: str, function: str) -> list[Metric]:
    plain = Metric(name, function, LABEL, options={"average": "default"})
    kinds = ("macro", "micro", "weighted")
    return [plain, *(Metric(f"{name}_{each}", function, LABEL, options={"average": each}) for each in kinds)]


_CLASSIFICATION = [
    Metric("accuracy", "accuracy_score", LABEL),
    Metric("balanced_accuracy", "balanced_accuracy_score", LABEL),
    *_averages("precision", "precision_score"),
    *_averages("recall", "recall_score"),
    *_averages("f1", "f1_score"),
    *_averages("jaccard", "jaccard_score"),
    # Recall counts twice as much as precision.
    Metric("fbeta_score", "fbeta_score", LABEL, options={"average": "default", "beta": 2}),
    Metric("specificity", "specificity", LABEL),
    Metric("matthews_corrcoef", "matthews_corrcoef", LABEL),
    Metric("cohen_kappa", "cohen_kappa_score", LABEL),
    Metric("hamming_loss", "hamming_loss", LABEL, False),
    Metric("zero_one_loss", "zero_one_loss", LABEL, False),
    Metric("positive_likelihood_ratio", "positive_likelihood_ratio", LABEL),
    Metric("roc_auc", "roc_auc_score", SCORE, options={"multi_class": "ovr"}),
    Metric("roc_auc_ovr", "roc_auc_score", SCORE, options={"multi_class": "ovr"}),
    Metric("roc_auc_ovo", "roc_auc_score", SCORE, options={"multi_class": "ovo"}),
    Metric("roc_auc_ovr_weighted", "roc_auc_score", SCORE, options={"multi_class": "ovr", "average": "weighted"}),
    Metric("roc_auc_ovo_weighted", "roc_auc_score", SCORE, options={"multi_class": "ovo", "average": "weighted"}),
    Metric("average_precision", "average_precision_score", SCORE),
    Metric("pr_auc", "pr_auc", SCORE),
    Metric("hinge_loss", "hinge_loss", SCORE, False),
    Metric("log_loss", "log_loss", PROBABILITY, False),
    Metric("brier_score", "brier_score_loss", PROBABILITY, False),
    Metric("top_k_accuracy", "top_k_accuracy_score", PROBABILITY),
    Metric("d2_brier_score", "d2_brier_score", PROBABILITY),
    Metric("d2_log_loss_score", "d2_log_loss_score", PROBABILITY),
    Metric("expected_calibration_error", "expected_calibration_error", PROBABILITY, False),
]
_REGRESSION = [
    *(
        Metric(name, function, VALUE, False)
        for name, function in {
            "rmse": "root_mean_squared_error",
            "mse": "mean_squared_error",
            "mae": "mean_absolute_error",
            "mape": "mean_absolute_percentage_error",
            "max_error": "max_error",
            **{
                each: each
                for each in (
                    "mean_squared_error",
                    "root_mean_squared_error",
                    "mean_absolute_error",
                    "mean_absolute_percentage_error",
                    "median_absolute_error",
                    "mean_squared_log_error",
                    "root_mean_squared_log_error",
                    "mean_poisson_deviance",
                    "mean_gamma_deviance",
                    "mean_tweedie_deviance",
                    "mean_pinball_loss",
                )
            },
        }.items()
    ),
    Metric("r2", "r2_score", VALUE),
    Metric("explained_variance", "explained_variance_score", VALUE),
    Metric("d2_absolute_error_score", "d2_absolute_error_score", VALUE),
    Metric("d2_pinball_score", "d2_pinball_score", VALUE),
]
_CLUSTERING = [
    Metric("silhouette", "silhouette_score", SHAPE),
    Metric("calinski_harabasz", "calinski_harabasz_score", SHAPE),
    Metric("davies_bouldin", "davies_bouldin_score", SHAPE, False),
    *(
        Metric(name, f"{name}_score", CLUSTER)
        for name in (
            "adjusted_rand",
            "adjusted_mutual_info",
            "normalized_mutual_info",
            "mutual_info",
            "rand",
            "homogeneity",
            "completeness",
            "v_measure",
            "fowlkes_mallows",
        )
    ),
]
METRICS: Mapping[str, Metric] = {each.name: each for each in (*_CLASSIFICATION, *_REGRESSION, *_CLUSTERING)}
DEFAULTS: Mapping[str, tuple[str, ...]] = {
    "classification": (
        *("log_loss", "brier_score", "roc_auc", "average_precision"),
        *("accuracy", "f1", "precision", "recall"),
    ),
    "regression": ("rmse", "mae", "r2"),
    "clustering": ("silhouette", "davies_bouldin"),
    "anomaly_detection": ("roc_auc", "average_precision", "f1", "precision", "recall"),
}
KINDS: Mapping[str, tuple[str, ...]] = {
    "classification": (LABEL, PROBABILITY, SCORE),
    "regression": (VALUE,),
    "clustering": (CLUSTER, SHAPE),
    "anomaly_detection": (LABEL, SCORE),
}
GATE_METRIC: Mapping[str, str] = {
    "classification": "roc_auc",
    "regression": "rmse",
    "clustering": "silhouette",
    "anomaly_detection": "roc_auc",
}


def metric(name: str) -> Metric:
    """The metric of a name, also as `…_score`, `…_loss` or negated as `neg_…`; its values keep that sign.

    Raises TrainingError with the nearest name.
    """
    bare = name.removeprefix("neg_")
    for form in (bare, bare.removesuffix("_score"), bare.removesuffix("_loss"), f"{bare}_score"):
        if form in METRICS:
            found = METRICS[form]
            if bare == name:
                return found
            return Metric(name, found.function, found.of, not found.greater_is_better, found.options, -1)
    hint = did_you_mean(name, MODEL_METRICS) or "it is none of scikit-learn's"
    raise TrainingError(f"metrics: unknown '{name}'; {hint}")


def gate_metric(config: TrainingConfig) -> str:
    """The metric a challenger has to beat the champion in."""
    return config.gate.metric or GATE_METRIC[config.model_type]


def tracked(config: TrainingConfig) -> list[str]:
    """A document's metrics, those its gate needs and its model type's usual ones, each once.

    Raises TrainingError for one that is not for such a model, RuleError for a criterion that cannot be read.
    """
    criteria = [name for each in config.promotion_criteria for name in columns(parse(each))]
    named = [name for name in sorted(criteria) if is_model_metric(name)]
    guards = [*config.gate.guard_metrics, *(each.metric for each in config.gate.fairness if each.metric in METRICS)]
    wanted = [*config.metrics, gate_metric(config), *guards, *named]
    for name in wanted:
        if metric(name).of not in KINDS[config.model_type]:
            fit = ", ".join(each for each in METRICS if METRICS[each].of in KINDS[config.model_type])
            raise TrainingError(f"metrics: '{name}' is no metric of {config.model_type}; these are: {fit}")
    return list(dict.fromkeys([*wanted, *DEFAULTS[config.model_type]]))
