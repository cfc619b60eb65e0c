"""Secret scopes: what a test puts in, base64 as Databricks answers it."""

import base64
from typing import Any

from mlops_assets_tests.workspace_stub.http import Call, Refused, Routes


class Secrets:
    """Values by scope and key."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, str], str] = {}

    @property
    def routes(self) -> Routes:
        """Method and path to what answers."""
        return {"GET /api/2.0/secrets/get": self.get}

    def get(self, call: Call) -> dict[str, Any]:
        """GET secrets/get."""
        scope, key = call.query["scope"], call.query["key"]
        if (scope, key) not in self.values:
            raise Refused(404, "RESOURCE_DOES_NOT_EXIST", f"Secret {key} does not exist in scope {scope}.")
        return {"key": key, "value": base64.b64encode(self.values[scope, key].encode()).decode()}
