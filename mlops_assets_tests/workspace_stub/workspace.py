"""The workspace: its parts behind one address, and what a test may set or break."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlops_assets_tests.workspace_stub.catalog import Catalog
from mlops_assets_tests.workspace_stub.faults import Fault, Faults
from mlops_assets_tests.workspace_stub.files import Files
from mlops_assets_tests.workspace_stub.http import Call, Refused, Routes, listening
from mlops_assets_tests.workspace_stub.jobs import Jobs
from mlops_assets_tests.workspace_stub.lakeview import Lakeview
from mlops_assets_tests.workspace_stub.models import UnityModels
from mlops_assets_tests.workspace_stub.secrets import Secrets
from mlops_assets_tests.workspace_stub.serving import Serving
from mlops_assets_tests.workspace_stub.tracking import Tracking

TOKEN = "dapi-stand-in-0123456789"
CLIENT_ID, CLIENT_SECRET = "stand-in-client", "stand-in-client-secret"
OAUTH_TOKEN = "oauth-stand-in-0123456789"


@dataclass
class Workspace:
    """A running stand-in, its files below `root`."""

    root: Path
    url: str = ""
    faults: Faults = field(default_factory=Faults)
    requests: list[str] = field(default_factory=list)
    bodies: list[tuple[str, bytes]] = field(default_factory=list)
    models: dict[tuple[str, str], Path] = field(default_factory=dict)
    schemas: set[str] = field(default_factory=lambda: {"main.ml"})

    def __post_init__(self) -> None:
        self.serving, self.secrets = Serving(self.model), Secrets()
        self.files, self.jobs = Files(self.root), Jobs(self.root, self._environment)
        self.catalog, self.lakeview = Catalog(self.schemas), Lakeview()
        self.tracking, self.unity_models = Tracking(self.root), UnityModels(self.root, self.schemas.__contains__)

    def model(self, name: str, version: str) -> Path:
        """The MLflow model directory of a registered version: what a test put there, or Unity Catalog's."""
        registered = self.unity_models.folder(name, version)
        if (name, version) not in self.models and not registered.is_dir():
            raise Refused(404, "RESOURCE_DOES_NOT_EXIST", f"Model version {name}/{version} does not exist.")
        return self.models.get((name, version), registered)

    def fail(self, route: str, fault: Fault, times: int = 1) -> None:
        """Answer the next requests whose `METHOD /path` the pattern finds with a fault."""
        self.faults.add(route, fault, times)

    @property
    def routes(self) -> Routes:
        """Everything that this workspace answers."""
        return {
            "GET /oidc/.well-known/oauth-authorization-server": self._oidc,
            "POST /oidc/v1/token": self._token,
            "GET /api/2.0/preview/scim/v2/Me": lambda _: {"id": "1", "userName": "someone@example.com"},
            **self.serving.routes,
            **self.files.routes,
            **self.jobs.routes,
            **self.secrets.routes,
            **self.catalog.routes,
            **self.lakeview.routes,
            **self.unity_models.routes,
            **self.tracking.routes,
        }

    def _environment(self) -> dict[str, str]:
        return {"DATABRICKS_HOST": self.url, "DATABRICKS_TOKEN": TOKEN}

    def _oidc(self, call: Call) -> dict[str, str]:
        base = f"http://{call.host}/oidc/v1"
        return {"authorization_endpoint": f"{base}/authorize", "token_endpoint": f"{base}/token"}

    def _token(self, call: Call) -> dict[str, Any]:
        return {"access_token": OAUTH_TOKEN, "token_type": "Bearer", "expires_in": 3600}


@contextmanager
def workspace(root: Path) -> Iterator[Workspace]:
    """A workspace on a free port of this machine until the block ends."""
    made = Workspace(root)
    with listening(made.routes, lambda: {TOKEN, OAUTH_TOKEN}, made.faults, made.requests, made.bodies) as url:
        made.url = url
        yield made
