"""What the UI shows of a materialization, in Dagster's types."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import dagster as dg

from mlops_assets.assets.reported import metadata_of, shown
from mlops_assets.rules import RuleOutcome
from mlops_assets.steps import shown as steps
from mlops_assets.steps.shown import numbers, row_metadata

__all__ = ["numbers", "outcome_table", "row_metadata", "table_metadata"]


def table_metadata(
    path: str, *, keys: Sequence[str] = (), constraints: Mapping[str, Sequence[str]] | None = None
) -> dict[str, Any]:
    """Schema, rows, location and Delta version of a table."""
    return metadata_of(steps.table_metadata(path, keys=keys, constraints=constraints))


def outcome_table(outcomes: Iterable[RuleOutcome]) -> dg.MarkdownMetadataValue:
    """A run's rules with what they found."""
    made: dg.MarkdownMetadataValue = shown(steps.outcome_table(outcomes))
    return made
