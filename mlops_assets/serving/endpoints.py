"""Endpoints as a deployment sees them: what should be served, and making a gateway serve it."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import httpx

from mlops_assets.serving.endpoint_answers import error_of, is_changing, matches, request_config, status_of
from mlops_assets.serving.errors import DeadlineExceeded, DeploymentFailed, EndpointNotFound, EndpointUnavailable
from mlops_assets.serving.gateway.files import GatewayHome, read_token
from mlops_assets.serving.spec import EndpointSpec, EndpointStatus, ServedVersion, Traffic, Version

if TYPE_CHECKING:
    import pandas

__all__ = ["EndpointSpec", "EndpointStatus", "GatewayEndpoints", "ServedVersion"]

PATH = "/api/2.0/serving-endpoints"
POLL_SECONDS = 0.1
UPDATE_SECONDS = 300.0


class GatewayEndpoints:
    """The endpoints of one gateway."""

    ready_seconds = 120.0

    def __init__(self, url: str, token: str, *, timeout_seconds: float = 30.0) -> None:
        self._client = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=timeout_seconds,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=64),
            trust_env=False,
        )

    @classmethod
    def of(cls, url: str, home: Path) -> Self:
        """Those of the gateway at `url`, with the token in `home`."""
        return cls(url, read_token(GatewayHome(Path(home).resolve())))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def apply(self, spec: EndpointSpec) -> EndpointStatus:
        """Make the gateway serve `spec`: create, change or, where it does already, send nothing.

        A change that is under way is waited for. Returns at once after that: see `wait_ready`.
        """
        found = self._find(spec.name)
        if found is None:
            tags = [{"key": key, "value": value} for key, value in spec.tags.items()]
            body = {
                "name": spec.name,
                "config": request_config(spec),
                "tags": tags,
                **spec.settings.model_dump(mode="json"),
            }
            return status_of(self._send("POST", PATH, body))
        if is_changing(found) and not matches(found, spec, "pending_config"):
            found = self._settled(spec.name, UPDATE_SECONDS)
        self._apply_tags(found, spec.tags)
        failed = found["state"]["config_update"] == "UPDATE_FAILED"
        current = "pending_config" if is_changing(found) else "config"
        if failed or not matches(found, spec, current):
            self._send(
                "PUT", f"{PATH}/{spec.name}/config", {**request_config(spec), **spec.settings.model_dump(mode="json")}
            )
        return self.get(spec.name)

    def get(self, name: str) -> EndpointStatus:
        """The endpoint's status. Raises EndpointNotFound."""
        return status_of(self._send("GET", f"{PATH}/{name}"))

    def list(self) -> list[EndpointStatus]:
        """Every endpoint's status, by name."""
        found = self._send("GET", PATH)["endpoints"]
        return sorted((status_of(endpoint) for endpoint in found), key=lambda status: status.name)

    def ask(self, name: str, rows: "pandas.DataFrame", served: str) -> "pandas.DataFrame":
        """The predictions of the version called `served`, whatever its share of the requests.

        Raises ServingError as a client's predict does, InvalidInput with the field.
        """
        import pandas as pd

        from mlops_assets.serving.client.encoding import chunks

        found: list[dict[str, Any]] = []
        for chunk in chunks(rows):
            path = f"/serving-endpoints/{name}/served-models/{served}/invocations"
            found += self._send("POST", path, content=chunk.body)["predictions"]
        return pd.DataFrame(found, index=rows.index)

    def graph(self, name: str) -> Path | None:
        """The ONNX graph that an endpoint serves; None where scikit-learn predicts. Raises EndpointNotFound."""
        found = self._send("GET", f"{PATH}/{name}")["config"]["served_entities"][0].get("onnx_path")
        return Path(found) if found else None

    def switch(self, name: str, version: Version, model_path: str, onnx_path: str | None = None) -> None:
        """Serve another version at an endpoint, all else as it is. Raises EndpointNotFound."""
        found = self._send("GET", f"{PATH}/{name}")["config"]["served_entities"][0]
        entity = {key: value for key, value in found.items() if key not in ("state", "name")}
        entity |= {"entity_name": version.model_name, "entity_version": version.version}
        entity |= {"model_path": model_path, "onnx_path": onnx_path}
        self._send("PUT", f"{PATH}/{name}/config", {"served_entities": [entity]})

    def traffic(self, name: str) -> Mapping[str, Traffic]:
        """What each version has answered since the gateway started, by served name."""
        from prometheus_client.parser import text_string_to_metric_families

        found: dict[str, Traffic] = {}
        for family in text_string_to_metric_families(self._request("GET", "/metrics").text):
            for sample in family.samples if family.name == "mlops_gateway_requests" else ():
                if sample.name.endswith("_total") and sample.labels["endpoint"] == name:
                    served, count = sample.labels["served_model"], int(sample.value)
                    known = found.get(served, Traffic(0, 0))
                    failed = count if sample.labels["status"] >= "500" else 0
                    found[served] = Traffic(known.requests + count, known.failed + failed)
        return found

    def agreement(self, name: str) -> Sequence[Mapping[str, Any]]:
        """What shadow traffic has shown: per pair of versions the rows compared, agreeing, and examples."""
        found: list[dict[str, Any]] = self._send("GET", f"{PATH}/{name}/agreement")["comparisons"]
        return found

    def logs(self, name: str, served: str) -> str:
        """What the processes behind a served model printed lately. Raises EndpointNotFound."""
        return str(self._send("GET", f"{PATH}/{name}/served-models/{served}/logs")["logs"])

    def delete(self, name: str) -> None:
        """Delete the endpoint. Raises EndpointNotFound."""
        self._send("DELETE", f"{PATH}/{name}")

    def wait_ready(self, name: str, timeout: float = UPDATE_SECONDS) -> EndpointStatus:
        """The status once no change is under way and the endpoint answers.

        Raises DeploymentFailed with the reason where it failed, DeadlineExceeded after `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        while True:
            status = self.get(name)
            if status.config_update in ("UPDATE_FAILED", "UPDATE_CANCELED"):
                raise DeploymentFailed(f"The endpoint '{name}' was not updated: {status.message}")
            if status.settled and status.ready:
                return status
            if time.monotonic() > deadline:
                raise DeadlineExceeded(f"The endpoint '{name}' was not ready within {timeout:g} s.")
            time.sleep(POLL_SECONDS)

    def _settled(self, name: str, timeout: float) -> dict[str, Any]:
        deadline = time.monotonic() + timeout
        while is_changing(found := self._send("GET", f"{PATH}/{name}")):
            if time.monotonic() > deadline:
                raise DeadlineExceeded(f"The change of endpoint '{name}' did not end within {timeout:g} s.")
            time.sleep(POLL_SECONDS)
        return found

    def _apply_tags(self, found: Mapping[str, Any], wanted: Mapping[str, str]) -> None:
        present = {tag["key"]: tag["value"] for tag in found["tags"]}
        added = [{"key": key, "value": value} for key, value in wanted.items() if present.get(key) != value]
        deleted = [key for key in present if key not in wanted]
        if added or deleted:
            self._send("PATCH", f"{PATH}/{found['name']}/tags", {"add_tags": added, "delete_tags": deleted})

    def _find(self, name: str) -> dict[str, Any] | None:
        try:
            return self._send("GET", f"{PATH}/{name}")
        except EndpointNotFound:
            return None

    def _send(self, method: str, path: str, body: object = None, content: bytes | None = None) -> dict[str, Any]:
        answer = self._request(method, path, body, content)
        given: dict[str, Any] = answer.json()
        if answer.is_error:
            raise error_of(answer.status_code, given)
        return given

    def _request(self, method: str, path: str, body: object = None, content: bytes | None = None) -> httpx.Response:
        try:
            return self._client.request(method, path, json=body, content=content)
        except httpx.TimeoutException:
            raise DeadlineExceeded(f"The gateway at {self._client.base_url} gave no answer in time.") from None
        except httpx.TransportError as error:
            raise EndpointUnavailable(
                f"No gateway answers at {self._client.base_url} ({type(error).__name__})."
            ) from None
