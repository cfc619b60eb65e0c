"""All rules of a Spark table: the figures in one aggregation, the rows shared out lazily."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import or_
from typing import TYPE_CHECKING, Any

from mlops_assets.rules import checker, spark, typed
from mlops_assets.rules.balanced import balanced
from mlops_assets.rules.context import EvaluationContext
from mlops_assets.rules.outcome import FAILED_RULES, MASK, QUARANTINES, Rule, RuleOutcome, table_outcome
from mlops_assets.rules.spark_operations import Expr, functions
from mlops_assets.rules.typed import Checked

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, Row

_UTC = {"UTC", "Etc/UTC", "Z", "GMT", "+00:00"}


@dataclass(frozen=True)
class SparkValidation:
    """The rows shared out by error and critical rules, lazily; `failed` has a column `_failed_rules` more."""

    passed: "DataFrame"
    failed: "DataFrame"
    outcomes: tuple[RuleOutcome, ...]


@dataclass(frozen=True)
class _Compiled:
    """A rule, its verdict as a column, and whether a row fails it (an unknown does)."""

    rule: Rule
    checked: Checked
    verdict: Expr
    fails: Expr


def validate(
    frame: "DataFrame",
    rules: Sequence[Rule],
    *,
    as_of: datetime | None = None,
    table: str | None = None,
    tables: Mapping[str, Any] | None = None,
    sensitive: Sequence[str] = (),
    examples: int = 3,
    beside: Sequence[str] = (),
) -> SparkValidation:
    """Evaluate rules over a Spark frame; parameters and outcomes as in `validation.validate`.

    Columns named in `beside` stay with the rows, but rules cannot refer to them.

    Raises RuleError where a rule does not fit, ValueError where the session's time zone is not UTC.
    """
    zone = frame.sparkSession.conf.get("spark.sql.session.timeZone")
    if zone not in _UTC:
        raise ValueError(f"spark.sql.session.timeZone is {zone}; rules read times in UTC, set it to UTC")
    compiled = _compile(frame.drop(*beside), rules, table, tables or {}, as_of)
    figures = _figures(frame, compiled)
    outcomes = tuple(
        table_outcome(c.rule, c.checked, figures["rows"], figures[f"verdict {i}"])
        if c.checked.table_level
        else _row_outcome(frame, c, figures, i, frozenset(sensitive), examples)
        for i, c in enumerate(compiled)
    )
    return _split(frame, [c for c in compiled if not c.checked.table_level], outcomes)


def _compile(
    frame: "DataFrame",
    rules: Sequence[Rule],
    table: str | None,
    tables: Mapping[str, Any],
    as_of: datetime | None,
) -> list[_Compiled]:
    schema, now, f = spark.schema_of(frame), EvaluationContext(as_of).now, functions()
    schemas = {name: spark.schema_of(other) for name, other in tables.items()}
    found = []
    for rule in rules:
        checked = checker.check(rule.condition, schema, table=table, tables=schemas)
        verdict = spark.compile_rule(checked, EvaluationContext(now, rule.tolerance, tables))
        found.append(_Compiled(rule, checked, verdict, ~f.coalesce(verdict, f.lit(False))))
    return found


def _figures(frame: "DataFrame", compiled: Sequence[_Compiled]) -> "Row":
    f = functions()
    wanted = [f.count(f.lit(1)).alias("rows")]
    for i, c in enumerate(compiled):
        if c.checked.table_level:
            wanted.append(c.verdict.alias(f"verdict {i}"))
        else:
            wanted += [
                f.count_if(c.fails).alias(f"failed {i}"),
                f.count_if(c.verdict.isNull()).alias(f"unknown {i}"),
            ]
    return frame.agg(*wanted).collect()[0]


def _row_outcome(
    frame: "DataFrame", c: _Compiled, figures: "Row", i: int, sensitive: frozenset[str], limit: int
) -> RuleOutcome:
    failed = figures[f"failed {i}"]
    return RuleOutcome(
        rule=c.rule,
        rows=figures["rows"],
        failed_rows=failed,
        unknown_rows=figures[f"unknown {i}"],
        examples=_examples(frame, c, sensitive, limit) if failed and limit else (),
        passed=failed == 0,
        table_level=False,
        empty=figures["rows"] == 0,
    )


def _examples(frame: "DataFrame", c: _Compiled, sensitive: frozenset[str], limit: int) -> tuple[dict[str, Any], ...]:
    names = typed.columns(c.checked)
    if not names:
        return ()
    quoted = ["`" + name.replace("`", "``") + "`" for name in names]
    rows = frame.where(c.fails).select(*quoted).limit(limit).collect()
    return tuple(
        {n: MASK if n in sensitive and v is not None else v for n, v in zip(names, row, strict=True)} for row in rows
    )


def _split(frame: "DataFrame", rules: Sequence[_Compiled], outcomes: tuple[RuleOutcome, ...]) -> SparkValidation:
    f = functions()
    broken = balanced(or_, [f.lit(False), *(c.fails for c in rules if c.rule.severity in QUARANTINES)])
    names = [f.when(c.fails, f.lit(c.rule.name)) for c in rules] or [f.lit(None).cast("string")]
    # Not `filter`: a rule may ask another table, and a function over an array takes no subquery.
    listed = f.array_except(f.array(*names), f.array(f.lit(None).cast("string")))
    failed = frame.where(broken).withColumn(FAILED_RULES, listed)
    return SparkValidation(frame.where(~broken), failed, outcomes)
