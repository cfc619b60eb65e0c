"""A training document: a model's target, features, estimator, split, metrics and gate."""

import math
import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from mlops_assets.config.algorithm_names import Algorithm
from mlops_assets.config.base import Duration, Name, Number, StrictModel, Whole, refuse, refuse_unknown
from mlops_assets.config.gate import GateConfig
from mlops_assets.config.metric_names import ModelMetric
from mlops_assets.config.search import SearchRange

MODEL_TYPES = ("classification", "regression", "clustering", "anomaly_detection")


def _model_type(value: Any) -> Any:
    name = re.sub(r"[\s-]+", "_", value.strip().lower()) if isinstance(value, str) else str(value)
    if name not in MODEL_TYPES:
        raise refuse_unknown("model_type", name, MODEL_TYPES)
    return name


def check_model_name(name: str) -> str:
    """Passes a registry name, `name` or `catalog.schema.name`, of letters, digits, `_` and `-`."""
    if not re.fullmatch(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*", name):
        valid = re.sub(r"[^A-Za-z0-9_.-]+", "_", name).strip("_.")
        raise refuse(f"'{name}' is no model name: letters, digits, _ and - (and dots between)", f"'{valid}' would be")
    return name


ModelName = Annotated[str, AfterValidator(check_model_name)]


class TrainingConfig(StrictModel):
    """One model: its columns, estimator, split, metrics, gate and registered name."""

    model_type: Annotated[
        Literal["classification", "regression", "clustering", "anomaly_detection"],
        BeforeValidator(_model_type),
    ] = Field(description="Type of model (classification, regression, clustering or anomaly_detection).")
    target_column: Name = Field(description="Target variable for prediction.")
    feature_columns: list[Name] = Field(
        min_length=1, description="Features to use for training: columns or outputs of their transformations."
    )
    algorithm: Algorithm | None = Field(
        default=None,
        description="Short name such as hist_gradient_boosting, or a dotted scikit-learn class; a random "
        "forest (k-means, an isolation forest for the other types) if not given.",
    )
    hyperparameters: dict[str, Any] = Field(default={}, description="Model hyperparameters.")
    feature_table: str | None = Field(
        default=None, description="Feature table to train on; required if the project has several."
    )
    split_ratios: list[Annotated[Number, Field(ge=0)]] = Field(
        default=[0.7, 0.15, 0.15],
        min_length=2,
        max_length=3,
        description="Train/validation/test split ratios, which sum to 1; two of them are train and test.",
    )
    split_method: Literal["random", "stratified", "grouped", "time"] | None = Field(
        default=None, description="How rows are split; by default stratified if stratify is set, else random."
    )
    time_column: str | None = Field(
        default=None,
        description="Column that orders a split by time; the feature table's timestamp if not given.",
    )
    group_column: str | None = Field(default=None, description="Column whose groups a grouped split keeps together.")
    stratify: bool = Field(default=False, description="Whether to stratify the training split.")
    random_seed: Whole = Field(default=0, ge=0, le=2**32 - 1, description="Seed of every random choice.")
    training_window: Duration | None = Field(
        default=None, description="Only rows at most this long before the newest are used."
    )
    max_rows: Annotated[Whole, Field(ge=1)] | None = Field(
        default=None, description="Maximum number of training rows; more are sampled, always the same keys."
    )
    stretch_rows: Annotated[Whole, Field(ge=2)] | None = Field(
        default=None,
        description="Batch size for estimators with partial_fit, for tables that do not fit into memory; feature "
        "transformations are fitted on the first batch. All rows at once if not given.",
    )
    cross_validation_folds: Whole = Field(default=0, ge=0, description="Number of cross-validation folds; 0 is none.")
    sample_weight_column: str = Field(default="", description="Column to use for weighted training.")
    class_balance: Literal["none", "balanced"] = Field(
        default="none",
        description="balanced gives the training rows of each class the same total weight, on top of sample weights; "
        "metrics count each row once.",
    )
    metrics: list[ModelMetric] = Field(default=[], description="Metrics to track during training.")
    promotion_criteria: list[Name] = Field(
        default=[], description="Conditions over the test metrics that a model has to meet, one or a list."
    )
    refit: bool = Field(
        default=False,
        description="Whether a model that passes its gate is fitted again on all rows; the metrics are still those of "
        "the held-out rows.",
    )
    gate: GateConfig = Field(default=GateConfig(), description="Conditions for replacing the champion.")
    experiment_name: Name = Field(description="MLflow experiment name.")
    run_name: str = Field(default="", description="MLflow run name.")
    registry_model_name: ModelName = Field(description="Name for registering in MLflow Model Registry.")
    search_space: dict[Name, SearchRange] = Field(
        default={},
        description="Hyperparameter to the range to search, by cross-validation on the training split; a value in "
        "hyperparameters that lies in its range is tried first.",
    )
    trials: Whole = Field(default=20, ge=1, le=10_000, description="Trials of the search.")
    search_timeout: Duration | None = Field(
        default=None, description="Time after which the search starts no further trial."
    )
    max_parallel_trials: Whole = Field(
        default=1, ge=1, le=64, description="Trials of the search that run at the same time."
    )
    calibration: Literal["none", "sigmoid", "isotonic"] = Field(
        default="none",
        description="How a classifier's probabilities are calibrated, on folds of the training split.",
    )
    early_stopping: bool = Field(
        default=False,
        description="Whether training stops when the score on a part of the training rows no longer improves: the "
        "last rows of a split by time (hist_gradient_boosting without calibration), else random ones. false leaves it "
        "to the estimator's hyperparameters.",
    )
    slices: list[Name] = Field(default=[], description="Columns by whose values metrics are split.")

    @field_validator("promotion_criteria", mode="before")
    @classmethod
    def _one_is_a_list_of_one(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @field_validator("split_ratios")
    @classmethod
    def _sum_to_one(cls, ratios: list[float]) -> list[float]:
        if not math.isclose(math.fsum(ratios), 1.0, abs_tol=1e-6):
            raise refuse(f"{ratios} sum to {math.fsum(ratios):g}, not 1")
        if not ratios[0]:
            raise refuse("no rows are left to train on: the first ratio is 0")
        if not any(ratios[1:]):
            raise refuse("no rows are left to judge the model on", "such as [0.8, 0.2]")
        return ratios

    @field_validator("cross_validation_folds")
    @classmethod
    def _not_one_fold(cls, folds: int) -> int:
        if folds == 1:
            raise refuse("one fold leaves nothing to train on", "0 turns cross-validation off")
        return folds

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.target_column in self.feature_columns:
            raise refuse(f"'{self.target_column}' is among the feature_columns", field="target_column")
        if self.split_method == "grouped" and not self.group_column:
            raise refuse("'grouped' needs a group_column", field="split_method")
        if self.group_column and self.split_method != "grouped":
            raise refuse("nothing is split by it", "set split_method: grouped", field="group_column")
        if self.stratify and self.split_method not in (None, "stratified"):
            raise refuse(f"contradicts split_method '{self.split_method}'", field="stratify")
        if self.calibration != "none" and self.model_type != "classification":
            raise refuse(f"{self.model_type} has no probabilities", field="calibration")
        if self.stretch_rows and (self.calibration != "none" or self.early_stopping):
            raise refuse("calibration and early_stopping need all rows at once", field="stretch_rows")
        if self.class_balance != "none" and self.model_type != "classification":
            raise refuse(f"{self.model_type} has no classes", field="class_balance")
        if self.gate.fairness and self.model_type != "classification":
            for bound in self.gate.fairness:
                if bound.metric == "positive_rate":
                    raise refuse(f"{self.model_type} predicts no class; name a metric", field="gate")
        if self.search_space and self.model_type in ("clustering", "anomaly_detection"):
            raise refuse(f"{self.model_type} has no labels to score trials by", field="search_space")
        return self
