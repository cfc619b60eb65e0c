"""The Files API over a folder: a volume's path here is its path on disk, as a job sees it through its mount. Files of
models and runs, which MLflow's client keeps through the same API, lie below the same folder.
"""

from pathlib import Path
from typing import Any

from mlops_assets_tests.workspace_stub.http import Call, Refused, Reply, Routes

MLFLOW = ("/Models/", "/WorkspaceInternal/Mlflow/")


class Files:
    """Files and folders below `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def routes(self) -> Routes:
        """Method and path to what answers."""
        file, folder = "/api/2.0/fs/files/{path*}", "/api/2.0/fs/directories/{path*}"
        return {
            f"PUT {file}": self.upload,
            f"GET {file}": self.download,
            f"HEAD {file}": self.download,
            f"DELETE {file}": lambda call: self._there(call).unlink(),
            f"PUT {folder}": lambda call: self._path(call).mkdir(parents=True, exist_ok=True),
            f"GET {folder}": self.listed,
            f"HEAD {folder}": lambda call: self._there(call) and None,
            f"DELETE {folder}": lambda call: self._there(call).rmdir(),
        }

    def upload(self, call: Call) -> None:
        """PUT files: the folder has to be there."""
        path = self._path(call)
        if path.exists() and call.query.get("overwrite") != "true":
            raise Refused(409, "ALREADY_EXISTS", f"{path} exists already.")
        if self._mlflows(call):
            path.parent.mkdir(parents=True, exist_ok=True)
        if not path.parent.is_dir():
            raise Refused(404, "NOT_FOUND", f"{path.parent} does not exist.")
        path.write_bytes(call.content)

    def download(self, call: Call) -> Reply:
        """GET files."""
        path = self._there(call)
        return Reply(path.read_bytes(), {"Content-Type": "application/octet-stream"})

    def listed(self, call: Call) -> dict[str, Any]:
        """GET directories."""
        asked = f"/{call.parts['path'].strip('/')}"
        found = sorted(self._there(call).iterdir())
        return {
            "contents": [
                {
                    "path": f"{asked}/{each.name}",
                    "name": each.name,
                    "is_directory": each.is_dir(),
                    **({} if each.is_dir() else {"file_size": each.stat().st_size}),
                }
                for each in found
            ]
        }

    def _there(self, call: Call) -> Path:
        path = self._path(call)
        if not path.exists():
            raise Refused(404, "NOT_FOUND", f"{path} does not exist.")
        return path

    def _mlflows(self, call: Call) -> bool:
        return f"/{call.parts['path']}".startswith(MLFLOW)

    def _path(self, call: Call) -> Path:
        path = Path("/", call.parts["path"].rstrip("/"))
        if self._mlflows(call):
            return self.root / path.relative_to("/")
        if not path.resolve().is_relative_to(self.root.resolve()):
            raise Refused(403, "PERMISSION_DENIED", f"{path} is no volume of this workspace.")
        return path
