"""The endpoint protocol: the typed client, the gateway that serves here, and what deploys to either."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlops_assets.serving.client import AsyncTabularModelClient as AsyncTabularModelClient
    from mlops_assets.serving.client import TabularModelClient as TabularModelClient
    from mlops_assets.serving.credentials import AuthType as AuthType
    from mlops_assets.serving.credentials import EndpointCredentials as EndpointCredentials
    from mlops_assets.serving.model_client import ModelServingClient as ModelServingClient

_EXPORTS = {
    "ModelServingClient": "mlops_assets.serving.model_client",
    "AsyncTabularModelClient": "mlops_assets.serving.client",
    "TabularModelClient": "mlops_assets.serving.client",
    "EndpointCredentials": "mlops_assets.serving.credentials",
    "AuthType": "mlops_assets.serving.credentials",
}
__all__ = ["AsyncTabularModelClient", "AuthType", "EndpointCredentials", "ModelServingClient", "TabularModelClient"]


def __getattr__(name: str) -> Any:
    """The client and its credentials, imported when first used: the gateway's processes need neither."""
    import importlib

    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_EXPORTS[name]), name)
