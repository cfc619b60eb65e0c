"""Rules as a Pandera schema for a user's own tests, evaluated in one pass over the rows.

Pandera evaluates a schema's checks one by one, about three queries each. The schema made here has a backend
of its own that evaluates all its rules in one select.
"""

import warnings
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

import polars as pl

from mlops_assets.rules import checker
from mlops_assets.rules.context import EvaluationContext
from mlops_assets.rules.outcome import QUARANTINES, Rule
from mlops_assets.rules.polars import compile_rule
from mlops_assets.rules.types import schema_of

SHOWN = 100


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

    context, types = EvaluationContext(as_of), schema_of(columns)
    schemas = {other: schema_of(frame) for other, frame in (tables or {}).items()}
    checks = []
    for rule in rules:
        checked = checker.check(rule.condition, types, table=table, tables=schemas)
        expression = compile_rule(checked, EvaluationContext(context.now, rule.tolerance, tables or {}))
        checks.append(_classes()[0](rule, expression, checked.table_level))
    declared = {column: pa.Column(dtype, nullable=True) for column, dtype in columns.items()}
    return _classes()[1](declared, checks=checks, name=name or table)


@cache
def _classes() -> tuple[Any, Any]:
    """The check and the schema class, made on first use: importing Pandera takes three seconds."""
    import pandera.polars as pa
    from pandera.backends.base import CoreCheckResult
    from pandera.backends.polars.container import DataFrameSchemaBackend
    from pandera.constants import CHECK_OUTPUT_KEY
    from pandera.errors import SchemaErrorReason, SchemaWarning

    class RuleCheck(pa.Check):
        """A check that carries its rule as one expression, so that a backend can evaluate many at once."""

        def __init__(self, rule: Rule, expression: pl.Expr, table_level: bool) -> None:
            super().__init__(
                lambda data: data.lazyframe.select(expression.fill_null(False)),
                name=rule.name,
                error=f"{rule.name}: {rule.condition}",
                description=rule.description or None,
                raise_warning=rule.severity not in QUARANTINES,
                ignore_na=False,
            )
            self.expression, self.table_level = expression, table_level

    class OnePassBackend(DataFrameSchemaBackend):
        """Evaluates the rules of a schema together; any other check as Pandera does."""

        def run_checks(self, check_obj: pl.LazyFrame, schema: Any) -> list[Any]:
            numbered = list(enumerate(schema.checks))
            rules = [(i, check) for i, check in numbered if isinstance(check, RuleCheck)]
            others = [self.run_check(check_obj, schema, c, i) for i, c in numbered if not isinstance(c, RuleCheck)]
            data = check_obj.collect()
            masks = data.select(
                pl.int_range(pl.len()).alias("row"),
                *(c.expression.fill_null(False).alias(str(i)) for i, c in rules if not c.table_level),
            )
            facts = data.select(
                pl.lit(0).alias("none"), *(c.expression.alias(str(i)) for i, c in rules if c.table_level)
            )
            return others + [self.result(data, masks, facts, i, c) for i, c in rules]

        def result(self, data: pl.DataFrame, masks: pl.DataFrame, facts: pl.DataFrame, i: int, c: Any) -> Any:
            mask = None if c.table_level else masks[str(i)]
            passed = bool(facts[str(i)].item()) if mask is None else bool(mask.all())
            shown: Any = "does not hold" if mask is None else data[(~mask).arg_true().head(SHOWN)]
            message = f"{c.error}" if mask is None else f"{c.error} ({(~mask).sum()} of {data.height} rows)"
            if not passed and c.raise_warning:
                warnings.warn(message, SchemaWarning, stacklevel=2)
            return CoreCheckResult(
                passed=passed or c.raise_warning,
                check=c,
                check_index=i,
                check_output=None if mask is None else mask.to_frame(CHECK_OUTPUT_KEY),
                reason_code=SchemaErrorReason.DATAFRAME_CHECK,
                message=message,
                failure_cases=None if passed else shown,
            )

    class RuleSchema(pa.DataFrameSchema):
        """A Pandera schema whose rules are evaluated in one pass."""

    RuleSchema.register_backend(pl.DataFrame, OnePassBackend, force=True)
    RuleSchema.register_backend(pl.LazyFrame, OnePassBackend, force=True)
    return RuleCheck, RuleSchema
