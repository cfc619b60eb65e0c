"""Errors of the rule language as problems of a document, at the place of the token."""

from typing import Any

from mlops_assets.config.document import Document
from mlops_assets.config.parsing.source import Path, dotted
from mlops_assets.config.problems import Problem
from mlops_assets.rules import RuleError


def rule_problem(document: Document[Any], path: Path, label: str, error: RuleError) -> Problem:
    """The error of the text at `path` with file, line and column of the token, the text itself and a caret."""
    start = document.text_start(path)
    line = start.line + error.line - 1
    column = start.column + error.column - 1
    return Problem(start.file, line, column, dotted(path), error.message, error.hint, label, error.picture())
