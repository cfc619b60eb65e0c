"""Example values of each field, taken from the example projects: editors show them with the description."""

import json
from collections.abc import Mapping
from typing import Any

import yaml

from mlops_assets.config.environment import PACKAGED
from mlops_assets.config.parsing.kinds import ALL_MODELS, is_overrides, kind_of, yaml_files
from mlops_assets.config.problems import Problem

PROJECTS = ("flights", "churn")
MOST, LONGEST = 2, 300  # examples of a field, characters of one
FOLDER = PACKAGED if PACKAGED.is_dir() else PACKAGED.parents[1] / "configs"


def examples() -> Mapping[str, Mapping[str, list[Any]]]:
    """By kind and field, the values that the example projects' documents have there, as they are written."""
    found: dict[str, dict[str, list[Any]]] = {kind: {} for kind in ALL_MODELS}
    for project in PROJECTS:
        for path in yaml_files(FOLDER / project):
            kind = kind_of(path, FOLDER / project)
            if isinstance(kind, Problem) or is_overrides(path, FOLDER / project):
                continue
            for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
                _add(found[kind.kind], document)
    return found


def _add(found: dict[str, list[Any]], document: Mapping[str, Any]) -> None:
    for field, written in document.items():
        text = json.dumps(written, default=str)
        value = json.loads(text)
        known = found.setdefault(field, [])
        if len(text) <= LONGEST and len(known) < MOST and value not in known:
            known.append(value)
