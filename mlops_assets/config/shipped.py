"""A project's documents packed for a step on another machine, and unpacked there; variables are filled in."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlops_assets.config.parsing.kinds import MODELS
from mlops_assets.config.project import Project, load_project

# What runs on a cluster needs no other; a monitor's channels hold secrets.
KINDS = ("pipeline", "data", "features", "training")


def packed(project: Project) -> dict[str, Any]:
    """The project's name and, by kind, each document's stem and data."""
    by_kind: dict[str, list[dict[str, Any]]] = {kind: [] for kind in KINDS}
    for document in project.documents:
        (kind,) = [name for name, model in MODELS.items() if isinstance(document.config, model)]
        if kind in by_kind:
            by_kind[kind].append({"stem": document.stem, "data": document.source.data})
    return {"name": project.name, "documents": json.loads(json.dumps(by_kind, default=str))}


def unpacked(shipped: Mapping[str, Any], folder: Path) -> Project:
    """The project that was packed, read from files that are written below `folder`; raises ConfigError."""
    root = folder / shipped["name"]
    for kind, documents in shipped["documents"].items():
        for place, document in enumerate(documents):
            # The number keeps the order, which is that of the files.
            file = root / kind / f"{place:04}" / f"{document['stem']}.{kind}.yaml"
            file.parent.mkdir(parents=True)
            # JSON is YAML; a dollar that is left is one that was meant.
            file.write_text(json.dumps(document["data"]).replace("$", "$$"), encoding="utf-8")
    return load_project(root)
