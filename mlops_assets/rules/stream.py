"""Validation of a table larger than memory: batch by batch, with the figures added up."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import polars as pl

from mlops_assets.rules import checker
from mlops_assets.rules.context import EvaluationContext
from mlops_assets.rules.outcome import Rule, RuleOutcome, added, table_outcome
from mlops_assets.rules.polars import compile_rule
from mlops_assets.rules.tree import is_table_level
from mlops_assets.rules.types import schema_of
from mlops_assets.rules.validation import Validation, validate
from mlops_assets.rules.vocabulary import read

BATCH = 250_000
Take = Callable[[Validation], object]


def validate_stream(
    frame: pl.LazyFrame,
    rules: Sequence[Rule],
    take: Take,
    *,
    as_of: datetime | None = None,
    table: str | None = None,
    tables: Mapping[str, Any] | None = None,
    sensitive: Sequence[str] = (),
    examples: int = 3,
    batch: int = BATCH,
) -> tuple[RuleOutcome, ...]:
    """Hand each batch's passed and failed rows to `take`, in the table's order, and return every rule's figures.

    Memory holds a few batches of `batch` rows and whatever `take` keeps. Table-level rules are worked out over the
    whole table first, by the streaming engine in a pass of their own. Parameters and errors as in `validate`.
    """
    context = EvaluationContext(as_of, tables=tables or {})
    table_level = [rule for rule in rules if is_table_level(read(rule.condition))]
    by_row = [rule for rule in rules if rule not in table_level]
    facts = iter(_facts(frame, table_level, context, table))
    found = []
    for rows in _batches(frame, batch):
        validation = validate(
            rows, by_row, as_of=context.now, table=table, tables=tables, sensitive=sensitive, examples=examples
        )
        take(validation)
        found.append(validation.outcomes)
    figures = iter([added(outcomes, examples) for outcomes in zip(*found, strict=True)])
    return tuple(next(facts) if rule in table_level else next(figures) for rule in rules)


def _batches(frame: pl.LazyFrame, size: int) -> Iterator[pl.DataFrame]:
    """At least one batch, so that rules are checked on a table without rows too."""
    some = False
    for rows in frame.collect_batches(chunk_size=size, maintain_order=True):
        some = True
        yield rows
    if not some:
        yield pl.DataFrame(schema=frame.collect_schema())


def _facts(
    frame: pl.LazyFrame, rules: Sequence[Rule], context: EvaluationContext, table: str | None
) -> list[RuleOutcome]:
    """The verdicts of table-level rules, and the number of rows, in one pass of the streaming engine."""
    if not rules:
        return []
    schema, schemas = schema_of(frame), {name: schema_of(other) for name, other in context.tables.items()}
    checked = [checker.check(rule.condition, schema, table=table, tables=schemas) for rule in rules]
    verdicts = [
        compile_rule(each, EvaluationContext(context.now, rule.tolerance, context.tables)).alias(f"rule {index}")
        for index, (rule, each) in enumerate(zip(rules, checked, strict=True))
    ]
    row = frame.select(pl.len().alias("rows"), *verdicts).collect(engine="streaming").row(0, named=True)
    pairs = enumerate(zip(rules, checked, strict=True))
    return [table_outcome(rule, each, row["rows"], row[f"rule {index}"]) for index, (rule, each) in pairs]
