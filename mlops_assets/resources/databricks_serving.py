"""Serving on Databricks as a Dagster resource: Model Serving where the gateway is elsewhere."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from mlops_assets.config.parsing.substitution import REFERENCE
from mlops_assets.resources.workspace import workspace
from mlops_assets.secrets import VARIABLE as SECRET_STORE
from mlops_assets.serving.databricks.endpoints import MAX_TIMEOUT_SECONDS, DatabricksEndpoints, EndpointOptions
from mlops_assets.serving.errors import ServingError
from mlops_assets.serving.watching import LOOKS

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

    from mlops_assets.config import DeploymentConfig


class DatabricksServing:
    """The serving endpoints of one workspace."""

    def __init__(self, workspace: "WorkspaceClient", options: EndpointOptions, poll_seconds: float) -> None:
        """Connect nothing yet."""
        self._workspace, self._options, self._poll_seconds = workspace, options, poll_seconds

    @property
    def url(self) -> str:
        """The workspace's address."""
        return str(self._workspace.config.host).rstrip("/")

    def require(self, deployment: "DeploymentConfig") -> None:
        """Refuse what Model Serving does not do.

        Raises:
            ServingError: naming the field and what would be right.
        """
        if deployment.serving_engine == "onnx":
            raise ServingError("serving_engine: Model Serving runs the logged model; onnx is for the embedded gateway")
        if not deployment.enable_access_control:
            raise ServingError("enable_access_control: Databricks asks everyone for a token; leave it true")
        field = "registered_as" if deployment.registered_as else "model_name"
        name = getattr(deployment, field)
        if name.count(".") not in (0, 2):
            raise ServingError(f"{field}: '{name}' is no Unity Catalog name; write catalog.schema.model or model")
        if "timeout_seconds" in deployment.model_fields_set and deployment.timeout_seconds > 300:
            raise ServingError(f"timeout_seconds: Databricks ends a request after {MAX_TIMEOUT_SECONDS} s")
        _require_rate_limit_room(deployment)

    def environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        """The variables with secrets as references to secret scopes: an endpoint's config is there for many to read.

        Raises:
            ServingError: naming the variable whose secret cannot be given like this.
        """
        return {name: _secret_reference(name, value) for name, value in variables.items()}

    def endpoints(self) -> DatabricksEndpoints:
        """The workspace's endpoints, to be made, changed and asked."""
        return DatabricksEndpoints(self._workspace, self._options, poll_seconds=self._poll_seconds)


def _require_rate_limit_room(deployment: "DeploymentConfig") -> None:
    """AI Gateway tells a deployment's own requests from no caller's: refuse a limit that they alone would exceed."""
    limit = deployment.requests_per_minute
    if limit is None or deployment.deployment_type != "serving_endpoint":
        return
    reason = "AI Gateway counts a deployment's own requests too"
    if any(test.type == "load" for test in deployment.tests):
        raise ServingError(f"tests: {reason}: a load test needs an endpoint without requests_per_minute")
    test_requests = max((test.requests for test in deployment.tests if test.type == "latency"), default=0)
    if test_requests > limit:
        raise ServingError(f"requests_per_minute: {reason}: its latency test asks {test_requests}, of {limit} allowed")
    minutes = max(1.0, deployment.rollout.evaluation_period.total_seconds() / 60)
    looks = round(2 * LOOKS / minutes)
    if deployment.rollout.strategy != "all_at_once" and looks > limit:
        advice = f"watching for {minutes:g} minutes asks {looks} in one, of {limit} allowed; watch longer"
        raise ServingError(f"requests_per_minute: {reason}: {advice}")


def _secret_reference(name: str, value: str) -> str:
    found = REFERENCE.search(value)
    if found is None:
        return value
    scope, key = found.groups()
    if os.environ.get(SECRET_STORE) != "databricks":
        hint = f"endpoints of Databricks read secrets from secret scopes: keep {scope}/{key} there"
        raise ServingError(f"environment_variables: {name}: {hint}, and set {SECRET_STORE}=databricks")
    if found.group() != value:
        hint = f"Databricks takes a secret as a whole value: write {found.group()} with nothing beside it"
        raise ServingError(f"environment_variables: {name}: {hint}")
    return f"{{{{secrets/{scope}/{key}}}}}"


class DatabricksServingResource(dg.ConfigurableResource[DatabricksServing]):
    """Gives assets Model Serving of a workspace."""

    permissions: dict[str, str] | None = Field(
        default=None, description="Principal to CAN_QUERY, CAN_VIEW or CAN_MANAGE; left as they are if not given."
    )
    inference_schema: str | None = Field(default=None, description="catalog.schema of AI Gateway's inference tables.")
    poll_seconds: float = Field(default=5.0, description="Time between two looks at a change under way.")

    def create_resource(self, context: dg.InitResourceContext) -> DatabricksServing:
        """The workspace's serving; nothing is asked yet."""
        options = EndpointOptions(permissions=self.permissions, inference_schema=self.inference_schema)
        return DatabricksServing(workspace(), options, self.poll_seconds)
