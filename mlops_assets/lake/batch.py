"""Rows on their way from bronze to silver: shaped, validated, and shared out between silver and the quarantine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl

from mlops_assets.config.base import last_part
from mlops_assets.lake.ingest import arrived
from mlops_assets.lake.shape import FAILED, ROW, shape
from mlops_assets.rules import Rule, RuleOutcome, validate

if TYPE_CHECKING:
    from mlops_assets.config import DataConfig


@dataclass(frozen=True)
class Run:
    """What identifies a run: its id, and the instant that `current_date()` and `current_timestamp()` mean."""

    id: str
    as_of: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True)
class Batch:
    """Bronze rows on their way: `good` in silver's columns, `bad` in bronze's with the names of what they broke.

    `origin` is the place in the batch of the bronze row that each good row comes from.
    """

    good: pl.DataFrame
    origin: pl.Series
    bad: pl.DataFrame
    outcomes: tuple[RuleOutcome, ...]
    read: int
    added: Mapping[str, int]
    removed: Mapping[str, int]

    @property
    def bad_share(self) -> float:
        """Quarantined rows by rows read; 0 where there were none."""
        return self.bad.height / self.read if self.read else 0.0


def silver_rules(config: "DataConfig") -> list[Rule]:
    """The document's rules, and that no part of its primary key is null."""
    declared = [
        Rule(rule.name, rule.condition, rule.severity, rule.tolerance, rule.description)
        for rule in config.validation_rules
    ]
    return declared + [
        Rule(key_rule(key), f"`{key}` is not null", description="Part of the primary key.")
        for key in config.primary_keys
    ]


def key_rule(column: str) -> str:
    """The name of the rule that a part of the primary key is not null."""
    return f"{column}_is_a_key"


def prepare(
    config: "DataConfig",
    bronze: pl.DataFrame,
    run: Run,
    others: Mapping[str, pl.LazyFrame],
    rules: Sequence[Rule] | None = None,
) -> Batch:
    """Bronze rows shaped and validated by the document's rules, or by `rules` in their place. Writes nothing.

    A bronze row that a step turned into several is bad as a whole where one of them is: the quarantine holds what
    arrived.
    """
    shaped = shape(config, arrived(config, bronze), run.as_of)
    validation = validate(
        shaped.frame.drop(ROW),
        silver_rules(config) if rules is None else rules,
        as_of=run.as_of,
        table=last_part(config.destination_path),
        tables=others,
        sensitive=config.sensitive_columns,
    )
    origin = shaped.frame[ROW]
    broken = pl.DataFrame({ROW: origin.filter(validation.broken), FAILED: validation.failed[FAILED]})
    reasons = (
        pl.concat([shaped.unreadable, broken])
        .group_by(ROW, maintain_order=True)
        .agg(pl.col(FAILED).list.explode(keep_nulls=False, empty_as_null=False).unique(maintain_order=True))
    )
    numbered = bronze.with_columns(pl.int_range(pl.len(), dtype=pl.Int64).alias(ROW))
    bad = numbered.join(reasons, on=ROW, maintain_order="left").drop(ROW).with_columns(pl.lit(run.id).alias("_run_id"))
    good, origin = validation.passed, origin.filter(~validation.broken)
    added = dict(shaped.added)
    if "explode" in added:
        whole = ~origin.is_in(broken[ROW].implode())
        good, origin = good.filter(whole), origin.filter(whole)
        lost = shaped.frame.height - good.height - broken[ROW].n_unique()
        added["explode"] -= lost + shaped.folded
    return Batch(good, origin, bad, validation.outcomes, bronze.height, added, shaped.removed)
