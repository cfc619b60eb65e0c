"""Dashboards in a Databricks workspace, made or brought up to date by their path, and published."""

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

PublishDashboard = Callable[[str, Mapping[str, Any]], str]


class DashboardError(Exception):
    """The workspace refused a dashboard."""


def dashboard_publisher(workspace: "Callable[[], WorkspaceClient]", folder: str, warehouse_id: str) -> PublishDashboard:
    """What puts a dashboard of a name, with what its `.lvdash.json` is to hold, into a workspace folder and answers the
    address of the published one. The client is made when it is needed; viewers query with rights of their own.

    Raises (when called):
        DashboardError: the workspace refused, by the dashboard's path.
    """
    client = cache(workspace)

    def publish(name: str, definition: Mapping[str, Any]) -> str:
        from databricks.sdk.errors.base import DatabricksError

        path = f"{folder.rstrip('/')}/{name}.lvdash.json"
        try:
            number = _put(client(), path, name, definition, warehouse_id)
            client().lakeview.publish(number, embed_credentials=False, warehouse_id=warehouse_id)
        except DatabricksError as error:
            raise DashboardError(f"{path}: {error}") from error
        return f"{client().config.host}/dashboardsv3/{number}/published"

    return publish


def _put(workspace: "WorkspaceClient", path: str, name: str, definition: Mapping[str, Any], warehouse_id: str) -> str:
    """The draft's id, once it is what it is to be."""
    from databricks.sdk.service.dashboards import Dashboard

    wanted = Dashboard(display_name=name, warehouse_id=warehouse_id, serialized_dashboard=json.dumps(definition))
    number = _known(workspace, path)
    if number is None:
        wanted.parent_path = path.rpartition("/")[0]
        return str(workspace.lakeview.create(wanted).dashboard_id)
    draft = workspace.lakeview.get(number)
    if draft.warehouse_id != warehouse_id or json.loads(draft.serialized_dashboard or "{}") != definition:
        workspace.lakeview.update(number, wanted)
    return number


def _known(workspace: "WorkspaceClient", path: str) -> str | None:
    from databricks.sdk.errors import NotFound

    try:
        return workspace.workspace.get_status(path).resource_id
    except NotFound:
        return None
