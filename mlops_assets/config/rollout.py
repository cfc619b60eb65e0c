"""Rollout settings: how traffic moves to a new version, and the criteria it has to meet meanwhile."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mlops_assets.config.base import Duration, Name, StrictModel, Whole, parse_duration, refuse

ROLLOUT_METRICS = (
    "error_rate",
    "latency_p50_ms",
    "latency_p95_ms",
    "latency_p50_ratio",
    "latency_p95_ratio",
    "agreement",
    "requests",
)


class RolloutConfig(StrictModel):
    """How traffic moves to the new version."""

    strategy: Literal["all_at_once", "blue_green", "canary"] = Field(
        default="all_at_once",
        description="How traffic moves to a new version: all_at_once before its tests; blue_green after them, all at "
        "once; canary by the increments. If tests or criteria fail, the old version, kept running until then, takes "
        "over.",
    )
    increments: list[Annotated[Whole, Field(ge=1, le=100)]] = Field(
        default=[10, 50, 100],
        min_length=1,
        description="Shares of the traffic a canary takes, in percent, ascending.",
    )
    evaluation_period: Duration = Field(
        default=parse_duration("10m"), description="How long the version is observed at each share before the next."
    )
    success_criteria: list[Name] = Field(
        default=["error_rate <= 0.01"],
        description="Conditions over the new version's metrics that must hold while it is observed, else it is "
        f"rolled back: {', '.join(ROLLOUT_METRICS)} (agreement: the share of the same rows on which it says what the "
        "old version says, within 0.05 for probabilities and numbers).",
    )
    shadow_percentage: Annotated[Whole, Field(ge=0, le=100)] = Field(
        default=0,
        description="Percentage of the requests that are also sent to a version before it takes traffic, unseen by "
        "callers.",
    )

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if self.increments != sorted(set(self.increments)):
            raise refuse(f"{self.increments} does not ascend", field="increments")
        return self
