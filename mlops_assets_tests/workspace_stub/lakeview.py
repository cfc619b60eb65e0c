"""AI/BI dashboards: drafts by id and by workspace path, and what of them is published."""

import itertools
import json
from dataclasses import dataclass
from typing import Any

from databricks.sdk.service.dashboards import Dashboard

from mlops_assets_tests.workspace_stub.http import Call, Refused, Routes, parsed

ENDING = ".lvdash.json"


@dataclass
class Draft:
    """A dashboard as it is edited; `published` is what viewers see, with the warehouse that runs it."""

    path: str
    name: str
    warehouse_id: str
    serialized: str
    published: dict[str, Any] | None = None


class Lakeview:
    """The dashboards of a workspace whose only folder is /Shared."""

    def __init__(self) -> None:
        self.drafts: dict[str, Draft] = {}
        self.folders = {"/Shared"}
        self._ids = itertools.count(1)

    @property
    def routes(self) -> Routes:
        """Method and path to what answers."""
        return {
            "GET /api/2.0/workspace/get-status": self.status,
            "POST /api/2.0/lakeview/dashboards": self.create,
            "GET /api/2.0/lakeview/dashboards/{id}": lambda call: self._shown(call.parts["id"]),
            "PATCH /api/2.0/lakeview/dashboards/{id}": self.update,
            "POST /api/2.0/lakeview/dashboards/{id}/published": self.publish,
        }

    def status(self, call: Call) -> dict[str, Any]:
        """GET workspace/get-status."""
        path = call.query["path"]
        for number, draft in self.drafts.items():
            if draft.path == path:
                return {"object_type": "DASHBOARD", "path": path, "resource_id": number}
        raise Refused(404, "RESOURCE_DOES_NOT_EXIST", f"Path ({path}) doesn't exist.")

    def create(self, call: Call) -> dict[str, Any]:
        """POST: a name is taken once in a folder."""
        asked = parsed(Dashboard, call.body)
        path = f"{asked.parent_path}/{asked.display_name}{ENDING}"
        if asked.parent_path not in self.folders:
            raise Refused(404, "RESOURCE_DOES_NOT_EXIST", f"Path ({asked.parent_path}) doesn't exist.")
        if any(draft.path == path for draft in self.drafts.values()):
            raise Refused(400, "RESOURCE_ALREADY_EXISTS", f"Node with name {path} already exists")
        number = f"{next(self._ids):032x}"
        self.drafts[number] = Draft(path, asked.display_name, asked.warehouse_id, _whole(asked.serialized_dashboard))
        return self._shown(number)

    def update(self, call: Call) -> dict[str, Any]:
        """PATCH: what the body has."""
        draft, asked = self._draft(call.parts["id"]), parsed(Dashboard, call.body)
        draft.warehouse_id = asked.warehouse_id or draft.warehouse_id
        draft.serialized = _whole(asked.serialized_dashboard or draft.serialized)
        return self._shown(call.parts["id"])

    def publish(self, call: Call) -> dict[str, Any]:
        """POST published: viewers see the draft of this moment."""
        draft = self._draft(call.parts["id"])
        draft.published = {**call.body, "serialized": draft.serialized}
        return {"display_name": draft.name, "warehouse_id": draft.warehouse_id, **call.body}

    def _draft(self, number: str) -> Draft:
        if number not in self.drafts:
            raise Refused(404, "RESOURCE_DOES_NOT_EXIST", f"Unable to find dashboard {number}")
        return self.drafts[number]

    def _shown(self, number: str) -> dict[str, Any]:
        draft = self._draft(number)
        return {
            "dashboard_id": number,
            "display_name": draft.name,
            "path": draft.path,
            "parent_path": draft.path.rpartition("/")[0],
            "warehouse_id": draft.warehouse_id,
            "serialized_dashboard": draft.serialized,
            "lifecycle_state": "ACTIVE",
        }


def _whole(serialized: str) -> str:
    """A definition whose widgets show fields that they query, of datasets that there are."""
    told = json.loads(serialized)
    names = {each["name"] for each in told["datasets"]}
    for placed in (each for page in told["pages"] for each in page["layout"]):
        for query in placed["widget"].get("queries", []):
            if query["query"]["datasetName"] not in names:
                raise Refused(400, "INVALID_PARAMETER_VALUE", f"no dataset {query['query']['datasetName']}")
    return serialized
