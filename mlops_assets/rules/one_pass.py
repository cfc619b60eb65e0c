"""Pandera's check and schema for rules: all of a schema's rules are evaluated in one select.

Importing it imports Pandera, which takes three seconds: only where a schema is made.
"""

import warnings
from typing import Any

import pandera.polars as pa  # noqa: TID253
import polars as pl
from pandera.backends.base import CoreCheckResult  # noqa: TID253
from pandera.backends.polars.container import DataFrameSchemaBackend  # noqa: TID253
from pandera.constants import CHECK_OUTPUT_KEY  # noqa: TID253
from pandera.errors import SchemaErrorReason, SchemaWarning  # noqa: TID253

from mlops_assets.rules.outcome import QUARANTINES, Rule

SHOWN = 100  # failing rows a rule


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
        """The results of all checks."""
        numbered = list(enumerate(schema.checks))
        rules = [(index, check) for index, check in numbered if isinstance(check, RuleCheck)]
        others = [(index, check) for index, check in numbered if not isinstance(check, RuleCheck)]
        data = check_obj.collect()
        masks = data.select(
            pl.int_range(pl.len()).alias("row"),
            *(rule.expression.fill_null(False).alias(str(index)) for index, rule in rules if not rule.table_level),
        )
        facts = data.select(
            pl.lit(0).alias("none"),
            *(rule.expression.alias(str(index)) for index, rule in rules if rule.table_level),
        )
        return [
            *(self.run_check(check_obj, schema, check, index) for index, check in others),
            *(
                _table_result(index, rule, bool(facts[str(index)].item()))
                if rule.table_level
                else _row_result(index, rule, data, masks[str(index)])
                for index, rule in rules
            ),
        ]


def _table_result(index: int, rule: RuleCheck, passed: bool) -> CoreCheckResult:
    return _result(index, rule, passed, str(rule.error), "does not hold")


def _row_result(index: int, rule: RuleCheck, data: pl.DataFrame, mask: pl.Series) -> CoreCheckResult:
    failing = (~mask).arg_true()
    message = f"{rule.error} ({len(failing)} of {data.height} rows)"
    output = mask.to_frame(CHECK_OUTPUT_KEY)
    return _result(index, rule, failing.is_empty(), message, data[failing.head(SHOWN)], output)


def _result(
    index: int, rule: RuleCheck, passed: bool, message: str, shown: Any, output: pl.DataFrame | None = None
) -> CoreCheckResult:
    if not passed and rule.raise_warning:
        warnings.warn(message, SchemaWarning, stacklevel=2)
    return CoreCheckResult(
        passed=passed or rule.raise_warning,
        check=rule,
        check_index=index,
        check_output=output,
        reason_code=SchemaErrorReason.DATAFRAME_CHECK,
        message=message,
        failure_cases=None if passed else shown,
    )


class RuleSchema(pa.DataFrameSchema):
    """A Pandera schema whose rules are evaluated in one pass."""


RuleSchema.register_backend(pl.DataFrame, OnePassBackend, force=True)
RuleSchema.register_backend(pl.LazyFrame, OnePassBackend, force=True)
