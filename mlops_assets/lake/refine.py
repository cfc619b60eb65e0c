"""Silver: bronze's new rows in their declared types, transformed, validated, de-duplicated and merged on key, in that
order.

The quarantine keeps bronze's columns untouched. Both tables record the bronze version up to which they are done, and
the quarantine is written first: after a kill between the two, the half that is missing is written, and no row twice.

"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl

from mlops_assets.config.base import last_part
from mlops_assets.lake import delta
from mlops_assets.lake.ingest import ADDED_COLUMNS
from mlops_assets.lake.rowcount import RowCount
from mlops_assets.lake.shape import Shaped, shape, without_duplicates
from mlops_assets.rules import Rule, RuleOutcome, validate

if TYPE_CHECKING:
    from mlops_assets.config import DataConfig

ROW, FAILED = "_row", "_failed_rules"
BRONZE = "bronze"  # the transaction that both tables record


@dataclass(frozen=True)
class DataTables:
    """Paths of the three tables of a data document."""

    bronze: str
    silver: str
    quarantine: str


@dataclass(frozen=True)
class Run:
    """What identifies a run: its id, and the instant that `current_date()` and `current_timestamp()` mean."""

    id: str
    as_of: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True)
class Refined:
    """What one run brought into a silver table and its quarantine; where `blocked` says why, nothing was written."""

    rows: RowCount
    outcomes: tuple[RuleOutcome, ...] = ()
    blocked: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Batch:
    """Bronze rows on their way: `good` in silver's columns, `bad` in bronze's with the names of what they broke."""

    good: pl.DataFrame
    bad: pl.DataFrame
    shaped: Shaped
    outcomes: tuple[RuleOutcome, ...]
    read: int

    @property
    def bad_share(self) -> float:
        """Quarantined rows by rows read; 0 where there were none."""
        return self.bad.height / self.read if self.read else 0.0


def refine(config: "DataConfig", tables: DataTables, run: Run, others: Mapping[str, pl.LazyFrame]) -> Refined:
    """Bring the bronze rows that silver does not have yet into silver or the quarantine.

    `others` are the tables that rules may name (`tailnum in planes.tailnum`).

    Raises:
        LakeError, RuleError: a step or a rule does not fit the table's columns. Nothing was written.
    """
    newest = delta.version(tables.bronze)
    done = delta.transaction_version(tables.silver, BRONZE)
    held = delta.transaction_version(tables.quarantine, BRONZE)
    if held is not None and (done is None or held > done):
        # A run was killed between its two commits: the quarantine has its rows already.
        _write_silver(config, tables, _prepare(config, delta.changes(tables.bronze, done, held), run, others), held)
        done = held
    if newest is None or done == newest:
        return Refined(RowCount())
    batch = _prepare(config, delta.changes(tables.bronze, done, newest), run, others)
    blocked = _blocking(config, batch, delta.rows(tables.silver))
    if blocked:
        return Refined(RowCount(batch.read, quarantined=batch.bad.height), batch.outcomes, blocked)
    rows = _write(config, tables, batch, newest)
    rows.check()
    return Refined(rows, batch.outcomes)


def silver_rules(config: "DataConfig") -> list[Rule]:
    """The document's rules, and that no part of its primary key is null."""
    declared = [
        Rule(rule.name, rule.condition, rule.severity, rule.tolerance, rule.description)
        for rule in config.validation_rules
    ]
    return declared + [
        Rule(f"{key}_is_a_key", f"`{key}` is not null", description="Part of the primary key.")
        for key in config.primary_keys
    ]


def _prepare(config: "DataConfig", bronze: pl.DataFrame, run: Run, others: Mapping[str, pl.LazyFrame]) -> _Batch:
    shaped = shape(config, bronze.drop(ADDED_COLUMNS), run.as_of)
    validation = validate(
        shaped.frame.drop(ROW),
        silver_rules(config),
        as_of=run.as_of,
        table=last_part(config.destination_path),
        tables=others,
        sensitive=config.sensitive_columns,
    )
    broken = pl.DataFrame({ROW: shaped.frame[ROW].filter(validation.broken), FAILED: validation.failed[FAILED]})
    reasons = (
        pl.concat([shaped.unreadable, broken])
        .group_by(ROW, maintain_order=True)
        .agg(pl.col(FAILED).list.explode(keep_nulls=False, empty_as_null=False).unique(maintain_order=True))
    )
    numbered = bronze.with_columns(pl.int_range(pl.len(), dtype=pl.Int64).alias(ROW))
    bad = numbered.join(reasons, on=ROW, maintain_order="left").drop(ROW).with_columns(pl.lit(run.id).alias("_run_id"))
    return _Batch(validation.passed, bad, shaped, validation.outcomes, bronze.height)


def _blocking(config: "DataConfig", batch: _Batch, present: int) -> tuple[str, ...]:
    """Why nothing downstream may run; empty where all is well."""
    reasons = []
    if batch.bad_share > config.max_error_fraction:
        allowed = f"more than max_error_fraction {config.max_error_fraction:.2%}"
        reasons.append(f"{batch.bad_share:.2%} of {batch.read} rows break error rules, {allowed}")
    if present + batch.good.height < config.min_rows:
        reasons.append(f"{present + batch.good.height} rows, fewer than min_rows {config.min_rows}")
    for outcome in batch.outcomes:
        severe = outcome.rule.severity == "critical" or (outcome.table_level and outcome.rule.severity == "error")
        if severe and not outcome.passed:
            reasons.append(
                f"rule '{outcome.rule.name}' ({outcome.rule.severity}) does not hold: {outcome.rule.condition}"
            )
    return tuple(reasons)


def _write(config: "DataConfig", tables: DataTables, batch: _Batch, until: int) -> RowCount:
    """Both commits; the rows written are counted in the tables themselves."""
    held = delta.rows(tables.quarantine)
    delta.append(tables.quarantine, batch.bad, transactions={BRONZE: until})
    written, removed = _write_silver(config, tables, batch, until)
    return RowCount(
        batch.read,
        written,
        delta.rows(tables.quarantine) - held,
        batch.shaped.added,
        {name: count for name, count in {**batch.shaped.removed, **removed}.items() if count},
    )


def _write_silver(config: "DataConfig", tables: DataTables, batch: _Batch, until: int) -> tuple[int, dict[str, int]]:
    """Rows that silver gained, and those that deduplicate and merge removed."""
    unique, removed = without_duplicates(config, batch.good)
    before = delta.rows(tables.silver)
    options: delta.Commit = {"transactions": {BRONZE: until}, "partition_by": config.partitioning_columns}
    match config.write_mode or ("merge" if config.primary_keys else "append"):
        case "merge":
            done = delta.merge(tables.silver, unique, keys=config.primary_keys, **options)
            removed["merge"] = removed.get("merge", 0) + done.updated
        case "overwrite":
            delta.overwrite(tables.silver, unique, **options)
            before = 0
        case _:
            delta.append(tables.silver, unique, **options)
    return delta.rows(tables.silver) - before, removed
