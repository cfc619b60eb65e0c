"""The workspace of platform `databricks`. Its credentials are read when a step needs them: what a resource holds as
configuration is shown in the Launchpad and kept with every run.
"""

from typing import TYPE_CHECKING

from mlops_assets.config.platforms import load_platform

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient


def workspace() -> "WorkspaceClient":
    """The SDK's client, with what the platform document says; the rest is Databricks' unified authentication's."""
    from databricks.sdk import WorkspaceClient

    config = load_platform("databricks").databricks
    token = config.token.get_secret_value() if config.token else None
    return WorkspaceClient(host=config.host, token=token, profile=config.profile)
