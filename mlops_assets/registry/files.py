"""The files of a version: its model folder on this machine, and the texts of its run."""

import tempfile
from functools import cached_property
from pathlib import Path

from mlops_assets.registry.server import MlflowServer
from mlops_assets.registry.version import ModelVersion


class VersionFiles:
    """The files of versions on the MLflow server."""

    def __init__(self, server: MlflowServer) -> None:
        """Fetch nothing yet."""
        self.server = server

    def local_path(self, version: ModelVersion) -> Path:
        """The MLflow model directory of a version, on this machine."""
        import mlflow

        if self.server.unity:
            return self._downloaded(version)
        uri = self.server.client.get_model_version_download_uri(version.name, version.version)
        return Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, tracking_uri=self.server.tracking_uri))

    def _downloaded(self, version: ModelVersion) -> Path:
        """A version's files from Unity Catalog, fetched once; they are gone with this registry."""
        import mlflow

        folder = Path(self._downloads.name) / version.name / version.version
        if not (folder / "MLmodel").is_file():
            self.server.point_mlflow_here()
            folder.mkdir(parents=True, exist_ok=True)
            mlflow.artifacts.download_artifacts(f"models:/{version.name}/{version.version}", dst_path=str(folder))
        return folder

    @cached_property
    def _downloads(self) -> "tempfile.TemporaryDirectory[str]":
        return tempfile.TemporaryDirectory(prefix="mlops_models_")

    def text(self, version: ModelVersion, file: str) -> str | None:
        """A text file of the run that made a version, None where the run has no such file."""
        import mlflow

        if file not in {each.path for each in self.server.client.list_artifacts(version.run_id)}:
            return None
        uri = f"runs:/{version.run_id}/{file}"
        with tempfile.TemporaryDirectory() as folder:
            path = mlflow.artifacts.download_artifacts(uri, dst_path=folder, tracking_uri=self.server.tracking_uri)
            return Path(path).read_text()
