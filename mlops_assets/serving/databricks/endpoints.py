"""Endpoints of Databricks Model Serving behind the same few calls as the gateway's, through databricks-sdk."""

import time
import warnings
from collections.abc import Mapping
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, ConfigDict

from mlops_assets.serving.databricks import bodies
from mlops_assets.serving.databricks.errors import as_serving_error, query_with_retries, update_failure_reason
from mlops_assets.serving.databricks.metrics import traffic_counts
from mlops_assets.serving.errors import DeadlineExceeded, DeploymentFailed, EndpointNotFound
from mlops_assets.serving.spec import EndpointSpec, EndpointStatus, Traffic

if TYPE_CHECKING:
    import pandas
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.service.serving import ServingEndpointDetailed

POLL_SECONDS = 5.0
UPDATE_SECONDS = 1800.0
MAX_TIMEOUT_SECONDS = 297


class EndpointOptions(BaseModel):
    """What a workspace adds to a deployment: who may do what with an endpoint, and its limits.

    `permissions` maps a user's e-mail, `group:<name>` or `service_principal:<application id>` to CAN_QUERY, CAN_VIEW or
    CAN_MANAGE, and replaces what was granted on the endpoint itself; who deploys always keeps CAN_MANAGE.
    `inference_schema` is the `catalog.schema` that AI Gateway logs requests to. What is None is left as it is in the
    workspace; no permissions, and an empty text, take away what is there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    permissions: dict[str, str] | None = None
    inference_schema: str | None = None


class DatabricksEndpoints:
    """The serving endpoints of one workspace; a version's container is built first, which takes many minutes."""

    ready_seconds = UPDATE_SECONDS

    def __init__(
        self,
        workspace: "WorkspaceClient",
        options: EndpointOptions | None = None,
        *,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        """Connect nothing yet. `poll_seconds` is the time between two looks at a change under way."""
        self._api, self._rest, self._users = workspace.serving_endpoints, workspace.api_client, workspace.current_user
        self._options, self._poll_seconds = options or EndpointOptions(), poll_seconds

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Nothing is held open: the SDK has one pool for the process."""

    def apply(self, spec: EndpointSpec) -> EndpointStatus:
        """Make the workspace serve `spec`: create, change or, where it does already, send nothing.

        A change that is under way is waited for, since Databricks takes one at a time. Returns at once after that: see
        `wait_ready`.
        """
        if spec.timeout_seconds > MAX_TIMEOUT_SECONDS:
            told_limit = f"{spec.name}: timeout_seconds is {MAX_TIMEOUT_SECONDS} at most on Databricks"
            warnings.warn(told_limit, stacklevel=2)
        found = self._find(spec.name)
        if found is None:
            self._create(spec)
        else:
            self._change(found, spec)
        return self.get(spec.name)

    def get(self, name: str) -> EndpointStatus:
        """The endpoint's status. Raises EndpointNotFound."""
        return bodies.status(self._get(name))

    def list(self) -> "list[EndpointStatus]":
        """Every endpoint's status, by name."""
        with as_serving_error("The workspace's endpoints cannot be listed"):
            names = sorted(str(endpoint.name) for endpoint in self._api.list())
        return [self.get(name) for name in names]

    def ask(self, name: str, rows: "pandas.DataFrame", served: str) -> "pandas.DataFrame":
        """The predictions of the version called `served`, whatever its share of the requests. Raises ServingError."""
        import pandas as pd

        from mlops_assets.serving.client.encoding import chunks

        path = f"/serving-endpoints/{name}/served-models/{served}/invocations"
        found: list[Any] = []
        for chunk in chunks(rows):
            found += query_with_retries(f"'{name}' did not answer", partial(self._post, path, chunk.body))[
                "predictions"
            ]
        return pd.DataFrame([row if isinstance(row, dict) else {"prediction": row} for row in found], index=rows.index)

    def _post(self, path: str, body: bytes) -> Mapping[str, Any]:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        answer: Mapping[str, Any] = self._rest.do("POST", path, headers=headers, data=body)
        return answer

    def traffic(self, name: str) -> Mapping[str, Traffic]:
        """Requests and failures by served name, as the endpoint's own metrics count them."""
        text = query_with_retries(f"No metrics of '{name}'", lambda: self._api.export_metrics(name).contents)
        return traffic_counts(text.read().decode() if text else "")

    def delete(self, name: str) -> None:
        """Delete the endpoint. Raises EndpointNotFound."""
        with as_serving_error(f"The endpoint '{name}' was not deleted"):
            self._api.delete(name)

    def wait_ready(self, name: str, timeout: float = UPDATE_SECONDS) -> EndpointStatus:
        """The status once no change is under way and the endpoint answers; both, since the one comes before the other.

        Raises DeploymentFailed with the endpoint's own log lines where the update failed: the config before it is
        served on. Raises DeadlineExceeded after `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        while True:
            found = self._get(name)
            status = bodies.status(found)
            if status.config_update in ("UPDATE_FAILED", "UPDATE_CANCELED"):
                raise DeploymentFailed(update_failure_reason(self._api, found, status))
            if status.settled and status.ready:
                return status
            if time.monotonic() > deadline:
                raise DeadlineExceeded(f"The endpoint '{name}' was not ready within {timeout:g} s.")
            time.sleep(self._poll_seconds)

    def logs(self, name: str, served: str) -> str:
        """What the processes behind a served entity printed lately."""
        return str(query_with_retries(f"No logs of '{name}'", lambda: self._api.logs(name, served).logs) or "")

    def _create(self, spec: EndpointSpec) -> None:
        with as_serving_error(f"The endpoint '{spec.name}' was not created"):
            self._api.create(
                spec.name,
                config=bodies.config(spec),
                tags=bodies.tags(spec.tags),
                ai_gateway=bodies.ai_gateway(spec, self._options),
            )
        self._permit(str(self._get(spec.name).id))

    def _change(self, found: "ServingEndpointDetailed", spec: EndpointSpec) -> None:
        wanted = bodies.config(spec)
        if bodies.changing(found) and not bodies.serves(found.pending_config, wanted):
            found = self._settled(spec.name)
        current = found.pending_config if bodies.changing(found) else found.config
        with as_serving_error(f"The endpoint '{spec.name}' was not changed"):
            present = {tag.key: tag.value for tag in found.tags or ()}
            if present != spec.tags:
                added = {key: value for key, value in spec.tags.items() if present.get(key) != value}
                deleted = [key for key in present if key not in spec.tags]
                self._api.patch(spec.name, add_tags=bodies.tags(added), delete_tags=deleted)
            gateway = bodies.ai_gateway(spec, self._options, found.ai_gateway)
            if gateway is not None and gateway != found.ai_gateway:
                self._api.put_ai_gateway(spec.name, **vars(gateway))
            if bodies.failed(found) or not bodies.serves(current, wanted):
                entities, traffic = wanted.served_entities, wanted.traffic_config
                self._api.update_config(spec.name, served_entities=entities, traffic_config=traffic)
        self._permit(str(found.id))

    def _permit(self, identity: str) -> None:
        """Permissions go by the endpoint's id; its name answers 404."""
        if self._options.permissions is None:
            return
        with as_serving_error("The endpoint's permissions were not set"):
            wanted = bodies.permissions(self._options.permissions, str(self._users.me().user_name))
            self._api.set_permissions(identity, access_control_list=wanted)

    def _settled(self, name: str) -> "ServingEndpointDetailed":
        deadline = time.monotonic() + UPDATE_SECONDS
        while bodies.changing(found := self._get(name)):
            if time.monotonic() > deadline:
                raise DeadlineExceeded(f"The change of endpoint '{name}' did not end within {UPDATE_SECONDS:g} s.")
            time.sleep(self._poll_seconds)
        return found

    def _find(self, name: str) -> "ServingEndpointDetailed | None":
        try:
            return self._get(name)
        except EndpointNotFound:
            return None

    def _get(self, name: str) -> "ServingEndpointDetailed":
        return query_with_retries(f"The endpoint '{name}' at {self._rest._cfg.host}", lambda: self._api.get(name))
