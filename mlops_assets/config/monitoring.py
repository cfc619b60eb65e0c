"""A monitoring document: what is watched, when it raises an alarm, and what the alarm sets going."""

from typing import Literal

from pydantic import Field

from mlops_assets.config.alert_channels import Channel
from mlops_assets.config.base import (
    Duration,
    Fraction,
    Name,
    Number,
    StrictModel,
    Whole,
    later,
    parse_duration,
)
from mlops_assets.config.metric_names import MonitorMetric
from mlops_assets.config.training import ModelName

DriftMethod = Literal["ks_test", "chi_square", "psi", "wasserstein", "jensen_shannon", "hellinger", "total_variation"]


class DataDriftConfig(StrictModel):
    """How a window of data is compared with the reference."""

    method: DriftMethod = Field(default="ks_test", description="Test (ks_test, chi_square) or distance.")
    reference_dataset: str | None = Field(
        default=None, description="Table or path to compare with; the champion's training rows if not given."
    )
    features_to_monitor: list[Name] = Field(default=[], description="Features to compare; empty means all the model's.")
    threshold: Number | None = Field(
        default=None, ge=0, description="Level of a test (0.05 if not given) or size of a distance (0.1)."
    )


class ModelPerfConfig(StrictModel):
    """How the model's metrics are followed as labels arrive."""

    metrics_table: str | None = Field(default=None, description="Name of the table the metrics are written to.")
    baseline_run_id: str | None = Field(
        default=None, description="MLflow run to compare with; the first version ever deployed if not given."
    )
    label_delay: Duration | None = Field(default=None, description="How long labels take to arrive.")


class AlertConfig(StrictModel):
    """Who is told about an alarm, and how."""

    notification_channels: list[Channel] = later([], "Where alerts are sent.")
    include_details: bool = later(True, "Whether an alert names the features and their statistics.")
    aggregation_window: Duration = later(parse_duration("1h"), "How long alarms are gathered into one alert.")


class RetrainingConfig(StrictModel):
    """What makes the model train again."""

    enabled: bool = Field(default=True, description="Whether an alarm trains the model again.")
    on: list[Literal["drift", "performance"]] = Field(
        default=["drift", "performance"], min_length=1, description="Which alarms do."
    )
    cooldown: Duration = Field(default=parse_duration("0m"), description="Pause after a training before the next.")
    max_per_period: Whole = later(0, "Trainings in a period at most; 0 means no limit.", ge=0)
    period: Duration = Field(default=parse_duration("30d"), description="The period max_per_period counts in.")


class MonitoringConfig(StrictModel):
    """One model's watch."""

    enabled: bool = Field(default=True, description="Enable monitoring.")
    metrics: list[MonitorMetric] = Field(
        description="Metrics to monitor: prediction_drift, feature_drift, data_quality or the model's own."
    )
    alert_thresholds: dict[Name, Number] = Field(
        default={}, description="Alerting thresholds for metrics, above for drift and below for scores."
    )
    monitoring_interval_minutes: Whole = Field(default=60, ge=1, description="Monitoring frequency in minutes.")
    model_name: ModelName | None = Field(
        default=None, description="Model to watch; needed where the project has several."
    )
    window: Literal["hour", "day", "week", "month"] = Field(
        default="day", description="Length of time that is judged together."
    )
    min_sample: Whole = Field(default=500, ge=1, description="Rows a window needs for an alarm.")
    consecutive_windows: Whole = Field(default=2, ge=1, description="Windows in a row that must show drift.")
    fdr: Fraction = Field(default=0.01, description="False discovery rate of the Benjamini-Hochberg procedure, 0 to 1.")
    severe_threshold: Number = Field(default=0.15, ge=0, description="Debiased PSI from which drift counts as severe.")
    data_drift_detection: DataDriftConfig | None = Field(default=None, description="Data drift detection settings.")
    model_performance_tracking: ModelPerfConfig | None = Field(
        default=None, description="Performance tracking settings."
    )
    alerting: AlertConfig | None = Field(default=None, description="Alerting configuration.")
    retraining: RetrainingConfig = Field(default=RetrainingConfig(), description="What makes the model train again.")
    dashboard_name: str = Field(default="", description="Monitoring dashboard name.")
