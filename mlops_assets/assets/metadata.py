"""What the UI shows of a materialization, in Dagster's types."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import dagster as dg

from mlops_assets.assets.reported import metadata_of, shown
from mlops_assets.rules import RuleOutcome
from mlops_assets.steps import shown as steps
from mlops_assets.steps.result import Shown
from mlops_assets.steps.shown import numbers, row_metadata

__all__ = ["image", "markdown_table", "numbers", "outcome_table", "row_metadata", "table_metadata"]


def table_metadata(
    path: str, *, keys: Sequence[str] = (), constraints: Mapping[str, Sequence[str]] | None = None
) -> dict[str, Any]:
    """Schema, rows, location and Delta version of a table."""
    return metadata_of(steps.table_metadata(path, keys=keys, constraints=constraints))


def markdown_table(rows: Iterable[Mapping[str, object]], columns: Sequence[str]) -> dg.MarkdownMetadataValue:
    """Rows as a table that the UI renders."""
    return _markdown(steps.markdown_table(rows, columns))


def outcome_table(outcomes: Iterable[RuleOutcome]) -> dg.MarkdownMetadataValue:
    """A run's rules with what they found."""
    return _markdown(steps.outcome_table(outcomes))


def image(png: bytes, title: str) -> dg.MarkdownMetadataValue:
    """A small picture, embedded: it lives in the event log."""
    return _markdown(steps.image(png, title))


def _markdown(value: Shown) -> dg.MarkdownMetadataValue:
    made: dg.MarkdownMetadataValue = shown(value)
    return made
