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

    there = load_platform("databricks").databricks
    token = there.token.get_secret_value() if there.token else None
    return WorkspaceClient(host=there.host, token=token, profile=there.profile)
