"""Where a project's tables and sources are, and the engine that works on them. Nothing is read or written here."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from mlops_assets.config.locations import REMOTE_SCHEMES
from mlops_assets.lake.engine import Engine
from mlops_assets.lake.polars import POLARS
from mlops_assets.unity_tables import UnityCatalog


@dataclass(frozen=True)
class Warehouse:
    """The folders under `home` ($MLOPS_HOME), the platform's engine, the URL of its online store if that is a server
    (a secret), the folder of the tables if not under `home`, and the catalog they are registered in, if any.
    """

    home: Path
    engine: Engine[Any] = field(default=POLARS, compare=False)
    online_url: str | None = field(default=None, compare=False, repr=False)
    tables: str | None = None
    catalog: UnityCatalog | None = field(default=None, compare=False, repr=False)

    def table(self, project: str, layer: str, name: str) -> str:
        """The Delta table `<home>/warehouse/<project>/<layer>/<name>`, or `<tables>/<project>/<layer>/<name>`."""
        root = self.tables.rstrip("/") if self.tables else str(self.home / "warehouse")
        return f"{root}/{project}/{layer}/{name}"

    def source(self, documented: str) -> str:
        """The path or glob that a documented `source_path` means on this machine.

        `dbfs:/x` is `<home>/dbfs/x`, `/Volumes/x` is `<home>/Volumes/x`, `file:` is a local path, object-store URLs
        stay as they are, and anything else is relative to the current folder.
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
