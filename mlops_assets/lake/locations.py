"""Where a project's tables and sources lie. Paths only: nothing is read or written here."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlparse

REMOTE_SCHEMES = ("s3", "s3a", "gs", "abfs", "abfss", "az", "adl", "https", "http")


@dataclass(frozen=True)
class Warehouse:
    """The embedded platform's folders below `home` ($MLOPS_HOME)."""

    home: Path

    def table(self, project: str, layer: str, name: str) -> str:
        """The Delta table `<home>/warehouse/<project>/<layer>/<name>`."""
        return str(self.home / "warehouse" / project / layer / name)

    def source(self, documented: str) -> str:
        """The path or glob that a documented `source_path` means on this machine.

        `dbfs:/x` is `<home>/dbfs/x`, `/Volumes/x` is `<home>/Volumes/x`, `file:` is a local path, object-store URLs
        stay as they are, and anything else is taken from the current folder.
        """
        scheme = urlparse(documented).scheme.lower()
        if scheme in REMOTE_SCHEMES:
            return documented
        if scheme == "dbfs":
            return str(self.home / "dbfs" / documented.split(":", 1)[1].lstrip("/"))
        if scheme == "file":
            return unquote(urlparse(documented).path)
        if documented.startswith("/Volumes/"):
            return str(self.home / documented.lstrip("/"))
        return str(Path(documented).absolute())


def is_remote(path: str) -> bool:
    """Whether the path is an object store's URL."""
    return urlparse(path).scheme.lower() in REMOTE_SCHEMES
