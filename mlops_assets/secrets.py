"""Secret stores behind one reference, `${secret:scope/key}`, which documents keep until a step needs the value.

`MLOPS_SECRETS` names the store: `environment` (MLOPS_SECRET_<SCOPE>_<KEY>), `databricks` (secret scopes), `aws`
(Secrets Manager, secret `scope/key`), `azure` (Key Vault: the scope is the vault, or AZURE_KEY_VAULT_URL its URL).
"""

import base64
import os
import re
from collections.abc import Callable, Mapping

from mlops_assets.config.parsing.substitution import REFERENCE

VARIABLE = "MLOPS_SECRETS"
Store = Callable[[str, str], str]


class SecretError(Exception):
    """A secret cannot be had; the sentence names the reference and the store, and never a value."""


def resolved(text: str) -> str:
    """The text with the values of its references, read from the store now.

    Raises:
        SecretError: a secret is not there, or the store cannot be asked.
    """
    return REFERENCE.sub(lambda found: read_secret(found[1], found[2]), text)


def all_resolved(values: Mapping[str, str]) -> dict[str, str]:
    """`resolved` of every value."""
    return {name: resolved(value) for name, value in values.items()}


def read_secret(scope: str, key: str) -> str:
    """One secret's value. Raises SecretError."""
    store = os.environ.get(VARIABLE) or "environment"
    if store not in STORES:
        raise SecretError(f"{VARIABLE} is '{store}'; it is one of {', '.join(STORES)}")
    return STORES[store](scope, key)


def _environment(scope: str, key: str) -> str:
    name = re.sub(r"[^A-Z0-9]", "_", f"MLOPS_SECRET_{scope}_{key}".upper())
    if name not in os.environ:
        raise SecretError(f"secret {scope}/{key}: the environment variable {name} is not set")
    return os.environ[name]


def _databricks(scope: str, key: str) -> str:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.errors.base import DatabricksError

    try:
        value = WorkspaceClient().secrets.get_secret(scope, key).value
    except (DatabricksError, ValueError, TimeoutError) as error:
        raise _missing(scope, key, "the workspace's secret scopes", error) from None
    return base64.b64decode(value or "").decode()


def _aws(scope: str, key: str) -> str:
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return str(boto3.client("secretsmanager").get_secret_value(SecretId=f"{scope}/{key}")["SecretString"])
    except (BotoCoreError, ClientError, KeyError) as error:
        raise _missing(scope, key, "AWS Secrets Manager", error) from None


def _azure(scope: str, key: str) -> str:
    from azure.core.exceptions import AzureError
    from azure.identity import DefaultAzureCredential
    from azure.keyvault.secrets import SecretClient

    url = os.environ.get("AZURE_KEY_VAULT_URL") or f"https://{scope}.vault.azure.net"
    try:
        with SecretClient(vault_url=url, credential=DefaultAzureCredential()) as client:
            return str(client.get_secret(key).value)
    except (AzureError, ValueError) as error:
        raise _missing(scope, key, f"the vault {url}", error) from None


def _missing(scope: str, key: str, store: str, error: Exception) -> SecretError:
    return SecretError(f"secret {scope}/{key} cannot be read from {store} ({type(error).__name__})")


STORES: Mapping[str, Store] = {
    "environment": _environment,
    "databricks": _databricks,
    "aws": _aws,
    "azure": _azure,
}
