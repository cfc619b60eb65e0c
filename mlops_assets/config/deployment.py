"""A deployment document: which version of a model is deployed to an environment, how, and with which tests."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from mlops_assets.config.base import (
    Environment,
    Fraction,
    Name,
    Number,
    StrictModel,
    Whole,
    refuse,
)
from mlops_assets.config.endpoint_tests import DEFAULT_TESTS, EndpointTest
from mlops_assets.config.pipeline import ScheduleConfig
from mlops_assets.config.rollout import RolloutConfig
from mlops_assets.config.training import ModelName

MAX_TIMEOUT_SECONDS = 3600


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
    """Which of an endpoint's requests and predictions are logged to the project's inference table."""

    enabled: bool = Field(default=True, description="Whether callers' requests are logged.")
    fraction: Fraction = Field(default=1.0, description="Share of the requests that is logged, drawn at random.")
    hash_columns: list[Name] = Field(
        default=[], description="Inputs that are logged as a keyed hash; equal values have equal hashes."
    )
    drop_columns: list[Name] = Field(default=[], description="Inputs that are not logged.")


class DeploymentConfig(StrictModel):
    """One model in one environment."""

    model_name: ModelName = Field(description="Name of the registered model.")
    model_version: Annotated[str, AfterValidator(_version)] = Field(
        description='Version to deploy (or "latest"): a number, latest or an alias.'
    )
    environment: Environment = Field(description="Deployment environment (dev, staging, prod).")
    deployment_type: Literal["serving_endpoint", "batch", "job"] = Field(
        description="Type of deployment: an endpoint; batch scoring in the pipeline; or, in production, batch scoring "
        "in a separate job, <project>_score, on demand or on its schedule."
    )
    schedule: ScheduleConfig | None = Field(
        default=None, description="Schedule of a deployment of type job; on demand only if not given."
    )
    endpoint_name: Annotated[str, BeforeValidator(str), AfterValidator(check_endpoint_name)] = Field(
        default_factory=_default_endpoint,
        description="Name of the serving endpoint; <model>-<environment> if not given.",
    )
    serving_engine: Literal["scikit-learn", "onnx"] = Field(
        default="scikit-learn",
        description="What computes an endpoint's predictions. onnx converts the estimator to a graph for ONNX Runtime: "
        "faster for trees, but not bit-identical; only for the gateway's endpoints, needs the extra 'onnx'.",
    )
    onnx_tolerance: Number = Field(
        default=1e-6,
        ge=0,
        description="Largest allowed deviation of the ONNX graph from scikit-learn, absolute for probabilities and "
        "relative for numbers above 1, measured on at least 2,048 rows. A version beyond it is not deployed.",
    )
    compute_type: Literal["cpu", "gpu"] = Field(default="cpu", description="Compute type (cpu, gpu).")
    compute_scale: Whole = Field(
        default=1, ge=1, le=256, description="Compute size; for the gateway, the threads of each worker process."
    )
    min_replicas: Whole = Field(
        default=1,
        ge=0,
        le=256,
        description="Minimum number of replicas (worker processes); with auto-scaling, 0 stops the last one when idle.",
    )
    max_replicas: Whole = Field(
        default=1, ge=1, le=256, description="Maximum number of replicas, where auto-scaling is enabled."
    )
    autoscaling_enabled: bool = Field(
        default=False,
        description="Enable auto-scaling between min_replicas and max_replicas; without it min_replicas run.",
    )
    enable_access_control: bool = Field(default=True, description="Enable endpoint access control.")
    timeout_seconds: Whole = Field(
        default=300, ge=1, le=MAX_TIMEOUT_SECONDS, description="Timeout for endpoint requests, in seconds."
    )
    requests_per_minute: Annotated[Whole, Field(ge=1)] | None = Field(
        default=None, description="Maximum requests per minute; beyond it the endpoint answers 429."
    )
    inference_log: InferenceLogConfig = Field(
        default=InferenceLogConfig(), description="Which requests and predictions are logged."
    )
    tags: dict[Name, str] = Field(default={}, description="Metadata tags.")
    environment_variables: dict[Name, str] = Field(default={}, description="Environment variables for endpoint.")
    rollout: RolloutConfig = Field(default=RolloutConfig(), description="How traffic moves to a new version.")
    tests: list[EndpointTest] = Field(
        default=DEFAULT_TESTS, description="Tests over HTTP; a new version that fails one is rolled back."
    )
    registered_as: ModelName | None = Field(
        default=None,
        description="Registered model of this environment (prod.ml.churn) that the version is copied to before it is "
        "served; model_name itself is served if not given.",
    )
    requires_approval: bool = Field(
        default=False,
        description="Whether a person has to approve a version first, by the alias `approved` or a tag.",
    )
    promoters: list[Name] = Field(
        default=[],
        description="Who may deploy here and approve: e-mail addresses or names, compared with the run's tag `user`; "
        "schedule:<name> and sensor:<name> for automatic runs. Anyone if not given.",
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
