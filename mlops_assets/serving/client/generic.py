"""The client of endpoints that are not tabular: chat, completions, embeddings pass through the SDK."""

from collections.abc import Mapping, Sequence
from typing import Any

from mlops_assets.serving.client.credentials import EndpointCredentials
from mlops_assets.serving.client.tabular import DEFAULT_TIMEOUT_SECONDS, checked_endpoint
from mlops_assets.serving.databricks.errors import as_serving_error


class ModelServingClient:
    """Questions to named endpoints of one workspace, with the same errors as TabularModelClient."""

    def __init__(
        self,
        workspace_url: str,
        credentials: EndpointCredentials,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    ) -> None:
        """Connect nothing yet. `timeout_seconds` bounds a request with the SDK's retries."""
        from databricks.sdk import WorkspaceClient

        self._config = credentials.sdk_config(workspace_url, timeout_seconds)
        self._api = WorkspaceClient(config=self._config).serving_endpoints

    def __repr__(self) -> str:
        return f"ModelServingClient({self._config.host!r}, auth_type={self._config.auth_type!r})"

    def chat(self, endpoint_name: str, messages: Sequence[Mapping[str, str]], **parameters: Any) -> dict[str, Any]:
        """The answer to a chat's `messages` (each with `role` and `content`), as the endpoint gives it.

        `parameters` are the SDK's, max_tokens and temperature among them. Raises a ServingError.
        """
        from databricks.sdk.service.serving import ChatMessage

        sent = [ChatMessage.from_dict(dict(message)) for message in messages]
        return self._query(endpoint_name, messages=sent, **parameters)

    def complete(self, endpoint_name: str, prompt: str, **parameters: Any) -> dict[str, Any]:
        """The completion of `prompt`, as the endpoint gives it. Raises a ServingError."""
        return self._query(endpoint_name, prompt=prompt, **parameters)

    def embed(self, endpoint_name: str, texts: Sequence[str]) -> dict[str, Any]:
        """An embedding for each text, as the endpoint gives them. Raises a ServingError."""
        return self._query(endpoint_name, input=list(texts))

    def _query(self, endpoint: str, **fields: Any) -> dict[str, Any]:
        checked_endpoint(endpoint)
        with as_serving_error(f"'{endpoint}' at {self._config.host}"):
            return dict(self._api.query(endpoint, **fields).as_dict())
