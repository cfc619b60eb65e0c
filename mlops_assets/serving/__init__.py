"""The endpoint protocol: the typed client, the gateway that serves here, and what deploys to either."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlops_assets.serving.client.credentials import AuthType as AuthType
    from mlops_assets.serving.client.credentials import EndpointCredentials as EndpointCredentials
    from mlops_assets.serving.client.generic import ModelServingClient as ModelServingClient
    from mlops_assets.serving.client.tabular import AsyncTabularModelClient as AsyncTabularModelClient
    from mlops_assets.serving.client.tabular import TabularModelClient as TabularModelClient

_EXPORTS = {
    "ModelServingClient": "mlops_assets.serving.client.generic",
    "AsyncTabularModelClient": "mlops_assets.serving.client.tabular",
    "TabularModelClient": "mlops_assets.serving.client.tabular",
    "EndpointCredentials": "mlops_assets.serving.client.credentials",
    "AuthType": "mlops_assets.serving.client.credentials",
}
__all__ = ["AsyncTabularModelClient", "AuthType", "EndpointCredentials", "ModelServingClient", "TabularModelClient"]


def __getattr__(name: str) -> Any:
    """The client and its credentials, imported when first used: the gateway's processes need neither."""
    import importlib

    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_EXPORTS[name]), name)
