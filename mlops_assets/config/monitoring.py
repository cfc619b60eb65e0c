"""A monitoring document: what is monitored, when it raises an alarm, and what the alarm triggers."""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from mlops_assets.config.alert_channels import Channel
from mlops_assets.config.base import (
    Duration,
    Fraction,
    Name,
    Number,
    StrictModel,
    Whole,
    check_table_name,
    last_part,
    parse_duration,
    refuse,
)
from mlops_assets.config.metric_names import MonitorMetric
from mlops_assets.config.training import ModelName

DriftMethod = Literal[
    "ks_test", "chi_square", "psi", "wasserstein", "jensen_shannon", "hellinger", "total_variation", "mmd"
]

_TABLES = ("references", "profiles", "drift", "alerts", "quality")


class DataDriftConfig(StrictModel):
    """How a window of data is compared with the reference."""

    method: DriftMethod = Field(
        default="ks_test", description="Test (ks_test, chi_square, mmd) or distance, of one feature at a time."
    )
    reference_dataset: str | None = Field(
        default=None,
        description="Table or path to compare with, with the feature table's columns; the champion's training rows if "
        "not given. If nothing exists at the path yet, the current champion's training rows are written there.",
    )
    features_to_monitor: list[Name] = Field(default=[], description="Features to compare; empty means all the model's.")
    baseline: Literal["training", "same_weekday"] = Field(
        default="training",
        description="What a window is compared with: the reference, or the previous baseline_windows windows of the "
        "same weekday (and hour), once there are that many.",
    )
    baseline_windows: Whole = Field(default=4, ge=1, description="Windows that make a same_weekday baseline.")
    threshold: Number | None = Field(
        default=None,
        ge=0,
        description="Level of a test (fdr if not given) or size of a distance (psi 0.05, wasserstein 0.2, others 0.1).",
    )


class ModelPerfConfig(StrictModel):
    """How the model's metrics are measured as labels arrive."""

    metrics_table: str | None = Field(default=None, description="Name of the table the metrics are written to.")
    baseline_run_id: str | None = Field(
        default=None, description="MLflow run to compare with; the first version ever deployed if not given."
    )
    label_delay: Duration | None = Field(
        default=None,
        description="How long labels take to arrive: a window is judged by its labels once it has been over for that "
        "long; until then an estimate is shown too. If not given, a window is judged from min_sample labels on.",
    )

    detectors: list[Literal["adwin", "ddm", "page_hinkley"]] = Field(
        default=[],
        description="Change detectors on the champion's errors over time, as labels arrive: a rise within the newest "
        "judged window raises the alarm. ddm is for classifiers only.",
    )

    @field_validator("metrics_table")
    @classmethod
    def _own_table(cls, name: str | None) -> str | None:
        if name is not None and last_part(check_table_name(name)) in _TABLES:
            raise refuse(f"'{last_part(name)}' is a table of the monitor's own", "'performance' would be right")
        return name


class AlertConfig(StrictModel):
    """Who gets alerts, and how."""

    notification_channels: list[Channel] = Field(
        default=[], description="Where alerts are sent; without a channel they are only recorded and shown."
    )
    include_details: bool = Field(default=True, description="Whether an alert names the features and their statistics.")
    aggregation_window: Duration = Field(
        default=parse_duration("1h"),
        description="How long after a message further alarms are collected for the next one.",
    )


class RetrainingConfig(StrictModel):
    """When an alarm triggers a retraining, and on which rows."""

    enabled: bool = Field(default=True, description="Whether an alarm triggers a retraining.")
    on: list[Literal["drift", "performance"]] = Field(
        default=["drift", "performance"], min_length=1, description="The alarms that trigger a retraining."
    )
    rows: Literal["all", "sliding", "since_drift"] = Field(
        default="all",
        description="Training rows of a retraining: all, the newest `length` (sliding), or those from the first "
        "window of the alarm on (since_drift).",
    )
    length: Duration = Field(default=parse_duration("90d"), description="Length of the sliding window of rows.")
    cooldown: Duration = Field(default=parse_duration("0m"), description="Pause after a training before the next.")
    max_per_period: Whole = Field(
        default=0, ge=0, description="Maximum number of retrainings per period; 0 means no limit."
    )
    period: Duration = Field(default=parse_duration("30d"), description="The period of max_per_period.")
    stop_after_refusals: Whole = Field(
        default=0,
        ge=0,
        description="Consecutive refusals by the gate after which alarms trigger no more retrainings, until a version "
        "passes or a person trains; 0 means no limit.",
    )


class MonitoringConfig(StrictModel):
    """The monitoring of one model."""

    enabled: bool = Field(default=True, description="Enable monitoring.")
    metrics: list[MonitorMetric] = Field(
        description="Metrics to monitor: prediction_drift, feature_drift, label_drift (the debiased PSI of the labels "
        "that have arrived against those of training), data_quality or the model's metrics. Drift of features and "
        "prediction is always monitored; listed here, they may have an alert threshold.",
    )
    alert_thresholds: dict[Name, Number] = Field(
        default={},
        description="Alerting thresholds for metrics, above for drift and below for scores; of data_quality the "
        "share of sound values (0.95 if not given), 1 less the worst of nulls, unseen levels and broken rules beyond "
        "what was usual.",
    )
    monitoring_interval_minutes: Whole = Field(
        default=60,
        ge=1,
        description="Monitoring interval in minutes; above a day it is in whole days from the first of the month.",
    )
    model_name: ModelName | None = Field(
        default=None, description="Model to monitor; required if the project has several."
    )
    window: Literal["hour", "day", "week", "month"] = Field(
        default="day", description="Length of a window, the rows that are judged together."
    )
    min_sample: Whole = Field(default=500, ge=1, description="Minimum number of rows of a window for an alarm.")
    consecutive_windows: Whole = Field(default=2, ge=1, description="Windows in a row that must show drift.")
    hysteresis: Fraction = Field(
        default=0.5, description="An alarm ends when the largest effect is at most this share of its limit, 0 to 1."
    )
    slices: list[Name] = Field(
        default=[],
        description="Columns of the feature table whose most common levels are also monitored separately: drift of "
        "features, prediction and labels, nulls, unseen levels, broken rules and volume.",
    )
    sensitive_features: list[Name] = Field(
        default=[], description="Features whose values are shown neither on the dashboard nor in an alert."
    )
    max_age: Duration | None = Field(
        default=None, description="How old the newest row may be for data_quality; not judged if not given."
    )
    fdr: Fraction = Field(default=0.01, description="False discovery rate of the Benjamini-Hochberg procedure, 0 to 1.")
    severe_threshold: Number = Field(default=0.15, ge=0, description="Debiased PSI from which drift counts as severe.")
    data_drift_detection: DataDriftConfig | None = Field(default=None, description="Data drift detection settings.")
    model_performance_tracking: ModelPerfConfig | None = Field(
        default=None, description="Performance tracking settings."
    )
    alerting: AlertConfig | None = Field(default=None, description="Alerting configuration.")
    check_severity: Literal["warn", "error"] = Field(
        default="warn",
        description="Severity of the failed check of an alarm. error applies to lost performance and severe drift; it "
        "does not stop anything downstream either.",
    )
    retraining: RetrainingConfig = Field(default=RetrainingConfig(), description="When an alarm triggers a retraining.")
    dashboard_name: str = Field(default="", description="Monitoring dashboard name.")

    @model_validator(mode="after")
    def _slices_are_not_sensitive(self) -> Self:
        named = [name for name in self.slices if name in self.sensitive_features]
        if named:
            raise refuse(f"'{named[0]}' is sensitive, and a slice is named by its value; leave one out", field="slices")
        return self

    @model_validator(mode="after")
    def _weekdays(self) -> Self:
        drift = self.data_drift_detection
        if drift is not None and drift.baseline == "same_weekday" and self.window not in ("hour", "day"):
            raise refuse(
                f"a {self.window} has no weekday; baseline: same_weekday needs window: day or hour",
                field="data_drift_detection",
            )
        return self
