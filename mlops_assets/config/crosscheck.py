"""What the documents of a project say about each other."""

from collections.abc import Sequence
from typing import Any

from mlops_assets.config.document import Document
from mlops_assets.config.problems import Problem
from mlops_assets.config.project import Project


def document_problems(document: Document[Any]) -> list[Problem]:
    return []


def project_problems(project: Project) -> list[Problem]:
    return []


def problems_between(projects: Sequence[Project]) -> list[Problem]:
    return []
