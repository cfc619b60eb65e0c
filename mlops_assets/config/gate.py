"""The gate's settings: what a challenger has to show before it may replace the champion."""

from typing import Annotated, Literal

from pydantic import Field

from mlops_assets.config.base import Name, Number, StrictModel, Whole
from mlops_assets.config.metric_names import ModelMetric


class FairnessBound(StrictModel):
    """How far a metric of the held-out rows may differ between the groups of a column."""

    column: Name = Field(description="Column whose values are the groups: of the features, or of their source.")
    metric: ModelMetric | Literal["positive_rate"] = Field(
        default="positive_rate",
        description="Metric that is compared; positive_rate is the share of rows that are predicted positive.",
    )
    max_gap: Annotated[Number, Field(ge=0)] = Field(
        description="Largest allowed difference between two groups, in the metric's units."
    )
    min_rows: Whole = Field(default=100, ge=1, description="Groups of fewer held-out rows are left out.")


class GateConfig(StrictModel):
    """What a challenger has to show against the champion on the same held-out rows."""

    metric: ModelMetric | None = Field(
        default=None,
        description="Metric to beat; if not given, roc_auc for two classes, balanced_accuracy for more, rmse for "
        "regression, silhouette for clustering, roc_auc for anomaly detection; without held-out rows that are labelled "
        "anomalies, the criteria alone decide on the last.",
    )
    min_rows: Whole = Field(
        default=100,
        ge=2,
        description="Minimum number of held-out rows, unseen by the champion, to compare two models; with fewer the "
        "bootstrap interval would be too narrow.",
    )
    min_gain: Number = Field(default=0.0, description="Required gain over the champion, in the metric's units.")
    guard_metrics: dict[ModelMetric, Annotated[Number, Field(gt=0)]] = Field(
        default={},
        description="Further metrics that must not get worse, each with the largest loss against the champion that the "
        "bootstrap interval may contain, in the metric's units.",
    )
    fairness: list[FairnessBound] = Field(
        default=[], description="Bounds on the difference between groups; a model beyond one is refused."
    )
    signature: Literal["compatible", "any"] = Field(
        default="compatible",
        description="compatible refuses a model that cannot answer the champion's requests, because it needs a column "
        "that the champion does not, or another type. any accepts it.",
    )
    confidence: Annotated[Number, Field(gt=0, lt=1)] = Field(
        default=0.95, description="Confidence of the paired bootstrap, between 0 and 1."
    )
    bootstrap_samples: Whole = Field(default=1000, ge=100, le=100_000, description="Resamples of the held-out rows.")
    resample_by: str | None = Field(
        default=None,
        description="Column whose groups are resampled together, for rows that are correlated (of a shop, of a day); "
        "an instant is grouped by its day in UTC. Single rows are resampled if not given.",
    )
