"""Who a serving client is: typed credentials that the Databricks SDK's configuration is made of."""

from enum import StrEnum
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, SecretStr, model_validator

from mlops_assets.serving.loopback import is_loopback

if TYPE_CHECKING:
    from databricks.sdk.core import Config


class AuthType(StrEnum):
    """A way to authenticate; the value is what the Databricks SDK calls it."""

    TOKEN = "pat"
    SERVICE_PRINCIPAL = "oauth-m2m"
    AZURE = "azure-client-secret"
    AZURE_CLI = "azure-cli"
    PROFILE = "profile"
    ENVIRONMENT = "environment"


_REQUIRED = {
    AuthType.TOKEN: ("token",),
    AuthType.SERVICE_PRINCIPAL: ("client_id", "client_secret"),
    AuthType.AZURE: ("tenant_id", "client_id", "client_secret"),
    AuthType.AZURE_CLI: (),
    AuthType.PROFILE: ("profile",),
    AuthType.ENVIRONMENT: (),
}


class EndpointCredentials(BaseModel):
    """How to authenticate, and exactly the values that way needs.

    `ENVIRONMENT` leaves the choice to the SDK: DATABRICKS_* variables, profiles, the runtime, in its order.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    auth_type: AuthType = AuthType.TOKEN
    token: SecretStr | None = None
    client_id: str | None = None
    client_secret: SecretStr | None = None
    tenant_id: str | None = None
    profile: str | None = None

    @model_validator(mode="after")
    def _holds_what_it_needs(self) -> Self:
        missing = [name for name in _REQUIRED[self.auth_type] if not _plain_secret(getattr(self, name))]
        if missing:
            raise ValueError(f"AuthType.{self.auth_type.name} needs {' and '.join(missing)}")
        return self

    def sdk_config(self, workspace_url: str, timeout_seconds: float) -> "Config":
        """The SDK's configuration for `workspace_url`; requests with retries end after `timeout_seconds`.

        Raises ValueError where the URL is plain http to another machine.
        """
        from databricks.sdk.core import Config

        return Config(
            host=checked_url(workspace_url),
            http_timeout_seconds=timeout_seconds,
            retry_timeout_seconds=max(1, round(timeout_seconds)),
            product="mlops-assets",
            product_version="0.1.0",
            **self._sdk_arguments(),
        )

    def _sdk_arguments(self) -> dict[str, Any]:
        if self.auth_type is AuthType.PROFILE:
            return {"profile": self.profile}
        if self.auth_type is AuthType.ENVIRONMENT:
            return {}
        azure = "azure_" if self.auth_type is AuthType.AZURE else ""
        values = {name: _plain_secret(getattr(self, name)) for name in _REQUIRED[self.auth_type]}
        return {"auth_type": self.auth_type.value} | {f"{azure}{name}": value for name, value in values.items()}


def checked_url(url: str) -> str:
    """`url` without a trailing slash; a token goes over https, or over http to this machine.

    Raises ValueError for any other URL.
    """
    parts = urlsplit(url if "://" in url else f"https://{url}")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("workspace_url: an address such as https://<workspace>.cloud.databricks.com is wanted.")
    if parts.username or parts.password:
        raise ValueError("workspace_url: it holds a user or password; give credentials instead.")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError(f"workspace_url: use https for {parts.hostname}; plain http is for this machine only.")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def _plain_secret(value: SecretStr | str | None) -> str | None:
    return value.get_secret_value() if isinstance(value, SecretStr) else value
