"""Serving as a Dagster resource: where endpoints are made and asked."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import dagster as dg
from pydantic import Field

from mlops_assets.secrets import all_resolved
from mlops_assets.serving.endpoints import GatewayEndpoints
from mlops_assets.serving.errors import ServingError
from mlops_assets.serving.gateway_process import GatewayAddress, ensure_running

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from mlops_assets.config import DeploymentConfig
    from mlops_assets.serving.client.tabular import TabularModelClient
    from mlops_assets.serving.spec import Endpoints


DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", 8787


class Serving(Protocol):
    """What a deployment needs of a platform's serving: the gateway here, or Databricks."""

    @property
    def url(self) -> str:
        """Where endpoints answer."""

    def require(self, deployment: "DeploymentConfig") -> None:
        """Raise ServingError, naming the field, for what the platform cannot do."""

    def environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        """An endpoint's environment variables as the platform takes them, where they hold references to secrets."""

    def endpoints(self) -> "AbstractContextManager[Endpoints]":
        """The endpoints, to be made, changed and asked."""


class EmbeddedServing:
    """The gateway of one home, started by the first step that needs it."""

    def __init__(self, home: Path, host: str, port: int) -> None:
        """Connect nothing yet. The port is a wish: where it is taken, the gateway takes the next free one."""
        self.home, self.host, self.port = home, host, port

    def gateway(self) -> GatewayAddress:
        """Where the gateway answers; it is started where it does not run."""
        # The default gives way to the environment, and its port to the next free one; what a document asks for does
        # not.
        host = self.host if self.host != DEFAULT_HOST else None
        return ensure_running(self.home, host=host, port=self.port if self.port != DEFAULT_PORT else None)

    @property
    def url(self) -> str:
        """The gateway's address; it is started where it does not run."""
        return self.gateway().url

    def require(self, deployment: "DeploymentConfig") -> None:
        """Refuse what this machine cannot do; a document that asks for it belongs on another platform.

        Raises:
            ServingError: naming the field and what would be right.
        """
        if deployment.compute_type == "gpu":
            raise ServingError("compute_type: the embedded gateway serves on cpu; gpu needs a Databricks platform")

    def environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        """The variables with the values of their secrets; raises SecretError."""
        return all_resolved(variables)

    def endpoints(self) -> GatewayEndpoints:
        """The gateway's endpoints, to be made and changed."""
        return GatewayEndpoints.of(self.gateway().url, self.home)

    def client(self) -> "TabularModelClient":
        """A client with the gateway's token."""
        from mlops_assets.serving import AuthType, EndpointCredentials, TabularModelClient

        where = self.gateway()
        credentials = EndpointCredentials(auth_type=AuthType.TOKEN, token=where.token_file.read_text().strip())
        return TabularModelClient(workspace_url=where.url, credentials=credentials)


class ServingResource(dg.ConfigurableResource[EmbeddedServing]):
    """Gives assets the embedded gateway."""

    home: str = Field(description="Folder that everything is written to (MLOPS_HOME).")
    host: str = Field(default=DEFAULT_HOST, description="Address the gateway listens on.")
    port: int = Field(default=DEFAULT_PORT, description="Port the gateway listens on.")

    def create_resource(self, context: dg.InitResourceContext) -> EmbeddedServing:
        """The gateway below `home`; nothing is started."""
        return EmbeddedServing(Path(self.home), self.host, self.port)
