"""Rules as a Pandera schema for a user's own tests, evaluated in one pass over the rows.

Pandera evaluates a schema's checks one by one, about three queries each; the schema made here has a backend of its own.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from mlops_assets.rules import checker
from mlops_assets.rules.context import EvaluationContext
from mlops_assets.rules.outcome import Rule
from mlops_assets.rules.polars import compile_rule
from mlops_assets.rules.types import schema_of


def pandera_schema(
    columns: Mapping[str, Any],
    rules: Sequence[Rule],
    *,
    name: str | None = None,
    as_of: datetime | None = None,
    table: str | None = None,
    tables: Mapping[str, Any] | None = None,
) -> Any:
    """A `pandera.polars.DataFrameSchema` of columns (name to Polars dtype, nulls allowed) and rules.

    `validate` on it raises Pandera's SchemaErrors with up to 100 failing rows a rule; rules of severity
    warning or info give a SchemaWarning. Raises RuleError where a rule does not fit the columns.
    """
    import pandera.polars as pa

    from mlops_assets.rules.one_pass import RuleCheck, RuleSchema

    context, types = EvaluationContext(as_of), schema_of(columns)
    schemas = {other: schema_of(frame) for other, frame in (tables or {}).items()}
    checks: list[Any] = []
    for rule in rules:
        checked = checker.check(rule.condition, types, table=table, tables=schemas)
        expression = compile_rule(checked, EvaluationContext(context.now, rule.tolerance, tables or {}))
        checks.append(RuleCheck(rule, expression, checked.table_level))
    declared = {column: pa.Column(dtype, nullable=True) for column, dtype in columns.items()}
    return RuleSchema(declared, checks=checks, name=name or table)
