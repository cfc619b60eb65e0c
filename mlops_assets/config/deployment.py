"""A deployment document: which version of a model goes where, how, and what it has to pass on the way."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from mlops_assets.config.base import (
    Duration,
    Environment,
    Fraction,
    Name,
    Number,
    StrictModel,
    Whole,
    parse_duration,
    refuse,
)
from mlops_assets.config.pipeline import ScheduleConfig
from mlops_assets.config.training import ModelName

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
        description="How traffic moves to the new version: at once; at once with the old one kept beside it until the "
        "new one has been watched; or by the increments.",
    )
    increments: list[Annotated[Whole, Field(ge=1, le=100)]] = Field(
        default=[10, 50, 100],
        min_length=1,
        description="Shares of the traffic a canary takes, in percent, ascending.",
    )
    evaluation_period: Duration = Field(
        default=parse_duration("10m"), description="How long each share is watched before the next."
    )
    success_criteria: list[Name] = Field(
        default=["error_rate <= 0.01"],
        description="Conditions over the new version's metrics that must hold all the time it is watched, else it is "
        f"rolled back: {', '.join(ROLLOUT_METRICS)} (agreement: the share of the same rows on which it says what the "
        "old version says, within 0.05 for probabilities and numbers).",
    )
    shadow_percentage: Annotated[Whole, Field(ge=0, le=100)] = Field(
        default=0,
        description="Share of the requests, in percent, that a version which takes no traffic yet answers unseen.",
    )

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if self.increments != sorted(set(self.increments)):
            raise refuse(f"{self.increments} does not ascend", field="increments")
        return self


class SchemaTest(StrictModel):
    """The endpoint's signature is the model's, and wrong input is refused."""

    type: Literal["schema"] = Field(description="The endpoint's signature is the model's; wrong input is refused.")


class GoldenRowsTest(StrictModel):
    """The endpoint predicts what the model predicts offline."""

    type: Literal["golden_rows"] = Field(description="The endpoint predicts what the model predicts offline.")
    rows: Whole = Field(default=50, ge=1, le=10_000, description="Held-out rows to send.")
    tolerance: Number = Field(default=1e-9, ge=0, description="Absolute difference that is overlooked.")


class LatencyTest(StrictModel):
    """The endpoint answers one row in time."""

    type: Literal["latency"] = Field(description="The endpoint answers one row in time.")
    p95_ms: Number = Field(default=500, gt=0, description="Longest 95th percentile, in milliseconds.")
    requests: Whole = Field(default=50, ge=1, le=10_000, description="Requests to send, one after another.")


class LoadTest(StrictModel):
    """The endpoint stands concurrent requests."""

    type: Literal["load"] = Field(description="The endpoint stands concurrent requests: all are answered.")
    connections: Whole = Field(default=8, ge=1, le=1_000, description="Requests in flight at a time.")
    seconds: Number = Field(default=10, gt=0, description="How long the load lasts, in seconds.")


class InvarianceTest(StrictModel):
    """Predictions do not change with columns that must not matter."""

    type: Literal["invariance"] = Field(description="Predictions do not change with columns that must not matter.")
    columns: list[Name] = Field(min_length=1, description="Columns whose values are exchanged between rows.")
    tolerance: Number = Field(default=1e-9, ge=0, description="Absolute difference that is overlooked.")


EndpointTest = Annotated[
    SchemaTest | GoldenRowsTest | LatencyTest | LoadTest | InvarianceTest, Field(discriminator="type")
]
DEFAULT_TESTS: list[Any] = [
    SchemaTest(type="schema"),
    GoldenRowsTest(type="golden_rows"),
    LatencyTest(type="latency", p95_ms=500),
]


def endpoint_name_of(model_name: str, environment: str) -> str:
    """The default endpoint name, `<model>-<environment>` in letters, digits, `-` and `_`, at most 63."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", f"{model_name.rsplit('.', 1)[-1]}-{environment}").strip("-_")
    return name[:63].rstrip("-_")


def check_endpoint_name(name: str) -> str:
    """Passes a name a serving endpoint can have: letters, digits, `-` and `_` inside, at most 63."""
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?", name):
        valid = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-_")[:63].rstrip("-_")
        raise refuse(
            f"'{name}' is no endpoint name: at most 63 letters, digits, - and _",
            f"'{valid}' would be" if valid else "",
        )
    return name


def _version(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]+", value) or value == "0":
        raise refuse(f"'{value}' is no version", "write 'latest', a number or an alias such as 'champion'")
    return value


def _default_endpoint(fields: dict[str, Any]) -> str:
    return endpoint_name_of(fields.get("model_name", "model"), fields.get("environment", "development"))


class InferenceLogConfig(StrictModel):
    """What is kept of an endpoint's requests and predictions in the project's inference table."""

    enabled: bool = Field(default=True, description="Whether requests are logged.")
    fraction: Fraction = Field(default=1.0, description="Share of the requests that is logged, drawn at random.")
    hash_columns: list[Name] = Field(
        default=[], description="Inputs of which only a keyed hash is kept: equal values stay equal."
    )
    drop_columns: list[Name] = Field(default=[], description="Inputs that are not kept.")


class DeploymentConfig(StrictModel):
    """One model in one environment."""

    model_name: ModelName = Field(description="Name of the registered model.")
    model_version: Annotated[str, AfterValidator(_version)] = Field(
        description='Version to deploy (or "latest"): a number, latest or an alias.'
    )
    environment: Environment = Field(description="Deployment environment (dev, staging, prod).")
    deployment_type: Literal["serving_endpoint", "batch", "job"] = Field(
        description="Type of deployment: an endpoint; batch scoring with the pipeline; or, in production, batch "
        "scoring by a job of its own, <project>_score, on demand or on its schedule."
    )
    schedule: ScheduleConfig | None = Field(
        default=None, description="When a deployment of type job scores by itself; on demand only if not given."
    )
    endpoint_name: Annotated[str, BeforeValidator(str), AfterValidator(check_endpoint_name)] = Field(
        default_factory=_default_endpoint,
        description="Name for serving endpoint; model and environment if not given.",
    )
    serving_engine: Literal["scikit-learn", "onnx"] = Field(
        default="scikit-learn",
        description="What an endpoint computes predictions with. onnx: the estimator as a graph in ONNX Runtime, "
        "faster for trees and not equal to the bit; the gateway's endpoints only, with the extra 'onnx'.",
    )
    onnx_tolerance: Number = Field(
        default=1e-6,
        ge=0,
        description="Largest deviation of the graph from scikit-learn, measured on at least 2,048 rows before it is "
        "served: of a probability, or of a number in shares of it. Beyond it the version is not deployed.",
    )
    compute_type: Literal["cpu", "gpu"] = Field(default="cpu", description="Compute type (cpu, gpu).")
    compute_scale: Whole = Field(
        default=1, ge=1, le=256, description="Compute size/scale: here the threads of each worker process."
    )
    min_replicas: Whole = Field(
        default=1,
        ge=0,
        le=256,
        description="Minimum number of replicas (worker processes); 0 with auto-scaling: the last one ends when idle.",
    )
    max_replicas: Whole = Field(
        default=1, ge=1, le=256, description="Maximum number of replicas, where auto-scaling is enabled."
    )
    autoscaling_enabled: bool = Field(
        default=False,
        description="Enable auto-scaling between the two numbers of replicas; without it min_replicas run.",
    )
    enable_access_control: bool = Field(default=True, description="Enable endpoint access control.")
    timeout_seconds: Whole = Field(default=300, ge=1, description="Timeout for endpoint requests, in seconds.")
    requests_per_minute: Annotated[Whole, Field(ge=1)] | None = Field(
        default=None, description="Requests an endpoint takes per minute; beyond it the answer is 429."
    )
    inference_log: InferenceLogConfig = Field(
        default=InferenceLogConfig(), description="What is kept of requests and predictions."
    )
    tags: dict[Name, str] = Field(default={}, description="Metadata tags.")
    environment_variables: dict[Name, str] = Field(default={}, description="Environment variables for endpoint.")
    rollout: RolloutConfig = Field(default=RolloutConfig(), description="How traffic moves to a new version.")
    tests: list[EndpointTest] = Field(
        default=DEFAULT_TESTS, description="What an endpoint has to pass over HTTP before it takes traffic."
    )
    registered_as: ModelName | None = Field(
        default=None,
        description="Registered model of this environment that the version is copied to first, without training again "
        "(prod.ml.churn); model_name serves if not given.",
    )
    requires_approval: bool = Field(
        default=False,
        description="Whether a person has to approve the version first, by the alias `approved` or a tag on it.",
    )
    promoters: list[Name] = Field(
        default=[],
        description="Who may deploy here and approve: e-mail addresses or names, held against the run's tag `user`; "
        "schedule:<name> and sensor:<name> for runs that nobody starts. Anyone if not given.",
    )

    @model_validator(mode="after")
    def _schedule_of_a_job(self) -> Self:
        if self.schedule is not None and (self.deployment_type, self.environment) != ("job", "production"):
            raise refuse(
                "only a deployment of type 'job' in production scores on a schedule of its own",
                "the others score with the pipeline",
                field="schedule",
            )
        return self

    @model_validator(mode="after")
    def _onnx_at_an_endpoint(self) -> Self:
        if self.serving_engine == "onnx" and self.deployment_type != "serving_endpoint":
            raise refuse(
                f"a deployment of type '{self.deployment_type}' scores with scikit-learn",
                "onnx is for type serving_endpoint",
                field="serving_engine",
            )
        return self

    @model_validator(mode="after")
    def _replicas_in_order(self) -> Self:
        if self.min_replicas > self.max_replicas:
            raise refuse(f"{self.min_replicas} is above max_replicas {self.max_replicas}", field="min_replicas")
        return self
