"""MLflow tracking of a workspace: MLflow's own server behind Databricks' paths, and what Databricks asks beyond it."""

import json
import threading
from functools import cached_property
from pathlib import Path
from typing import Any

from mlops_assets_tests.workspace_stub.http import Call, Refused, Reply, Routes

ARTIFACTS = "dbfs:/databricks/mlflow-tracking"
WORKSPACE_ID = "1234567890"
_ONE_AT_A_TIME = threading.RLock()


class Tracking:
    """Experiments, runs and logged models of one workspace; folders of experiments are `/Shared` and `/Users/…`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def routes(self) -> Routes:
        """Method and path to what answers; MLflow refuses what it does not know by itself."""
        base = "/api/2.0/mlflow/{path*}"
        return {f"{verb} {base}": self._answered(verb) for verb in ("GET", "POST", "PATCH", "DELETE")}

    @cached_property
    def _store(self) -> Any:
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        return SqlAlchemyStore(f"sqlite:///{self.root / 'tracking.db'}", ARTIFACTS)

    def _answered(self, verb: str) -> Any:
        def answered(call: Call) -> Reply:
            path = call.parts["path"]
            if path.startswith("unity-catalog"):
                raise Refused(501, "NOT_IMPLEMENTED", f"this stand-in knows no {verb} {path}")
            if path == "experiments/create":
                _check_experiment(call.body)
            return self._ask(verb, path, call)

        return answered

    def _ask(self, verb: str, path: str, call: Call) -> Reply:
        from mlflow.server import app, handlers

        # MLflow's server has one store for its process.
        with _ONE_AT_A_TIME:
            handlers._tracking_store = self._store
            answer = app.test_client().open(
                f"/api/2.0/mlflow/{path}",
                method=verb,
                query_string=dict(call.query),
                data=call.content,
                headers={"Host": "localhost", "Content-Type": "application/json"},
            )
        told = {"X-Databricks-Org-Id": WORKSPACE_ID}
        if answer.status_code == 404 and not answer.is_json:
            raise Refused(501, "NOT_IMPLEMENTED", f"MLflow knows no {verb} {path}")
        return Reply(answer.data, told, answer.status_code)


def _check_experiment(body: dict[str, Any]) -> None:
    name = str(body.get("name", ""))
    if not name.startswith(("/Shared/", "/Users/")):
        told = f"Got an invalid experiment name '{name}'. An experiment name must be an absolute path in the workspace."
        raise Refused(400, "INVALID_PARAMETER_VALUE", told)
    location = json.dumps(body.get("artifact_location") or "")
    if "file:" in location:
        raise Refused(400, "INVALID_PARAMETER_VALUE", f"{location} is not a location of artifacts.")
