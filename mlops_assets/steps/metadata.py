"""Metadata that the UI shows of a step: schemas with constraints, row counts, rule outcomes, tables, plots."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from mlops_assets.lake import delta
from mlops_assets.lake.rowcount import RowCount
from mlops_assets.rules import RuleOutcome
from mlops_assets.steps.result import MetadataValue

TYPE_NAMES: Mapping[type[pl.DataType], str] = {
    pl.String: "string",
    pl.Int64: "int",
    pl.Float64: "float",
    pl.Boolean: "bool",
    pl.Date: "date",
    pl.Datetime: "timestamp",
}


def table_metadata(
    path: str, *, keys: Sequence[str] = (), constraints: Mapping[str, Sequence[str]] | None = None
) -> dict[str, Any]:
    """Schema, rows, location and Delta version of a table."""
    return {
        "dagster/column_schema": column_schema(delta.schema(path), keys=keys, constraints=constraints or {}),
        "dagster/row_count": delta.rows(path),
        "dagster/uri": path,
        "dagster/storage_kind": "delta",
        "delta_version": delta.version(path),
    }


def column_schema(schema: pl.Schema, *, keys: Sequence[str], constraints: Mapping[str, Sequence[str]]) -> MetadataValue:
    """The UI's table of columns, with the rules that name each."""
    columns = [
        {
            "name": name,
            "type": TYPE_NAMES.get(dtype.base_type(), str(dtype)),
            "constraints": {
                "nullable": name not in keys,
                "unique": list(keys) == [name],
                "other": list(constraints.get(name, ())),
            },
        }
        for name, dtype in schema.items()
    ]
    return MetadataValue("table_schema", {"columns": columns})


def row_metadata(rows: RowCount) -> dict[str, Any]:
    """A run's account of rows, as numbers that the UI plots."""
    numbers = {"rows_read": rows.read, "rows_written": rows.written, "rows_quarantined": rows.quarantined}
    added = {f"rows_added_by_{step}": count for step, count in rows.added.items()}
    return numbers | added | {f"rows_removed_by_{step}": count for step, count in rows.removed.items()}


def numbers(values: Mapping[str, float | None]) -> dict[str, Any]:
    """Metrics as numbers; an undefined one is left out rather than shown as 0."""
    return {name: float(value) for name, value in values.items() if value is not None}


def markdown_table(rows: Iterable[Mapping[str, object]], columns: Sequence[str]) -> MetadataValue:
    """Rows as a table that the UI renders."""
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(_cell(row.get(column)) for column in columns) + " |" for row in rows]
    return MetadataValue("md", "\n".join(lines))


def outcome_table(outcomes: Iterable[RuleOutcome]) -> MetadataValue:
    """A run's rules with what they found."""
    rows = [
        {
            "rule": outcome.rule.name,
            "severity": outcome.rule.severity,
            "failed": outcome.failed_rows if not outcome.table_level else ("" if outcome.passed else "does not hold"),
            "unknown": outcome.unknown_rows,
            "condition": outcome.rule.condition,
        }
        for outcome in outcomes
    ]
    return markdown_table(rows, ["rule", "severity", "failed", "unknown", "condition"])


def image(png: bytes, title: str) -> MetadataValue:
    """A small picture, embedded: it lives in the event log."""
    return MetadataValue("md", f"![{title}](data:image/png;base64,{base64.b64encode(png).decode()})")


def _cell(value: object) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str("" if value is None else value)
    return text.replace("|", "\\|").replace("\n", " ")
