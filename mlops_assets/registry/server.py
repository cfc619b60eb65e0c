"""The MLflow server: its client, its addresses, and its models and versions as it tells of them."""

import logging
import os
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_assets.loading import without_garbage_collection
from mlops_assets.registry import unity
from mlops_assets.registry.unity import UnityModels
from mlops_assets.registry.version import ModelVersion

if TYPE_CHECKING:
    from mlflow import MlflowClient

MISSING = ("RESOURCE_DOES_NOT_EXIST", "NOT_FOUND")
LOCAL_UI = "http://127.0.0.1:5000"


class MlflowServer:
    """One tracking server and its register of models; MLflow is imported when it is first asked (seconds)."""

    def __init__(
        self,
        tracking_uri: str,
        artifacts: Path | None,
        registry_uri: str | None = None,
        unity: UnityModels | None = None,
    ) -> None:
        """Connect nothing yet; `artifacts` is the folder of new experiments' files, None where the server chooses. The
        register of models is elsewhere than the runs where `registry_uri` says so (`databricks-uc`, with `unity`).
        """
        self.tracking_uri, self.artifacts = tracking_uri, artifacts
        self.registry_uri, self.unity = registry_uri or tracking_uri, unity

    @cached_property
    def client(self) -> "MlflowClient":
        """MLflow's client, quiet and without telemetry."""
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        # A uv.lock in the working directory would become the model's requirements.
        os.environ.setdefault("MLFLOW_UV_AUTO_DETECT", "false")
        os.environ.setdefault("MLFLOW_LOG_UV_FILES", "false")
        if self.artifacts:
            self.artifacts.mkdir(parents=True, exist_ok=True)
        with without_garbage_collection():
            import mlflow

            for noisy in ("alembic", "mlflow.store.db.utils"):
                logging.getLogger(noisy).setLevel(logging.WARNING)
            self.point_mlflow_here()
            return mlflow.MlflowClient()

    def point_mlflow_here(self) -> None:
        """MLflow has one address for the whole process, and another registry may have set its own since."""
        import mlflow

        mlflow.set_tracking_uri(self.tracking_uri)
        mlflow.set_registry_uri(self.registry_uri)

    def experiment(self, name: str) -> str:
        """The id of an experiment, which is created if it does not exist."""
        name = self.unity.experiment(name) if self.unity else name
        found = self.client.get_experiment_by_name(name)
        location = self.artifacts.as_uri() if self.artifacts else None
        return found.experiment_id if found else self.client.create_experiment(name, artifact_location=location)

    def full(self, name: str) -> str:
        """What the register calls a model."""
        return self.unity.name(name) if self.unity else name

    def registered(self, name: str) -> Any:
        """The registered model; None if there is none. Unity Catalog cannot search by name."""
        from mlflow.exceptions import MlflowException

        try:
            return self.client.get_registered_model(self.full(name))
        except MlflowException as error:
            if error.error_code in MISSING:
                return None
            raise

    def register(self, name: str) -> None:
        """See to it that there is a registered model of the name."""
        if self.registered(name) is None:
            self.client.create_registered_model(name)

    def version(self, name: str, number: object) -> ModelVersion:
        """A model's version by its number, which there is."""
        return self.read(self.client.get_model_version(self.full(name), str(number)))

    def aliases(self, name: str) -> Mapping[str, Any]:
        """Alias to version of a model; empty where there is no such model."""
        found = self.registered(name)
        return dict(found.aliases) if found else {}

    def found(self, name: str) -> Iterator[Any]:
        """MLflow's versions of a model."""
        return self._search(f"name = '{self.full(name)}'")

    def of_run(self, run_id: str) -> Iterator[Any]:
        """MLflow's versions, of any model, that a run made. Unity Catalog knows no such search."""
        return self._search(f"run_id = '{run_id}'")

    def _search(self, wanted: str) -> Iterator[Any]:
        """Unity Catalog's search leaves tags out: each version is asked for."""
        token = None
        while True:
            page = self.client.search_model_versions(wanted, page_token=token)
            for each in page:
                yield self.client.get_model_version(each.name, each.version) if self.unity else each
            token = page.token
            if not token:
                return

    def read(self, found: Any) -> ModelVersion:
        """MLflow's version with its tags by the names they have elsewhere."""
        tags = dict(found.tags)
        if self.unity:
            tags = unity.read_tags(tags)
            if unity.ON_THE_RUN in tags.values():
                whole = self.client.get_run(found.run_id).data.tags
                tags = {name: whole[name] if tags[name] == unity.ON_THE_RUN else tags[name] for name in tags}
        return ModelVersion(found.name, str(found.version), found.run_id, tags)

    def url(self, version: ModelVersion) -> str:
        """Where the MLflow UI shows the run that made a version: the server's, or for a file that of `make ui`."""
        page = f"experiments/{self.client.get_run(version.run_id).info.experiment_id}/runs/{version.run_id}"
        if self.tracking_uri.startswith("databricks"):
            from mlflow.utils.databricks_utils import get_databricks_host_creds

            host = get_databricks_host_creds(self.tracking_uri).host  # type: ignore[no-untyped-call]
            return f"{host.rstrip('/')}/ml/{page}"
        server = self.tracking_uri if self.tracking_uri.startswith("http") else LOCAL_UI
        # Who asks the server, user and password, is nobody else's to read.
        return f"{re.sub('//[^/]*@', '//', server).rstrip('/')}/#/{page}"
