"""Silver: bronze's new rows in their declared types, transformed, validated, de-duplicated and merged on key, in that order.

The quarantine keeps bronze's columns untouched. Both tables record the bronze version up to which they are done, and the
quarantine is written first: after a kill between the two, the half that is missing is written, and no row twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl

from mlops_assets.lake import delta
from mlops_assets.lake.ingest import ADDED_COLUMNS
from mlops_assets.lake.rowcount import RowCount
from mlops_assets.lake.transforms import transform, unreadable
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
    version: int | None = None


@dataclass(frozen=True)
class _Batch:
    """Bronze rows on their way: `good` in silver's columns, `bad` in bronze's."""

    good: pl.DataFrame
    bad: pl.DataFrame
    rows: RowCount
    outcomes: tuple[RuleOutcome, ...]


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
        batch = _prepare(config, delta.changes(tables.bronze, done, held), run, others)
        _write_silver(config, tables, batch, held)
        done = held
    if newest is None or done == newest:
        return Refined(RowCount(), version=delta.version(tables.silver))
    batch = _prepare(config, delta.changes(tables.bronze, done, newest), run, others)
    blocked = _blocking(config, batch, delta.rows(tables.silver))
    if blocked:
        return Refined(batch.rows, batch.outcomes, blocked)
    delta.append(tables.quarantine, batch.bad, transactions={BRONZE: newest})
    rows = _write_silver(config, tables, batch, newest)
    rows.check()
    return Refined(rows, batch.outcomes, version=delta.version(tables.silver))


def _prepare(config: "DataConfig", bronze: pl.DataFrame, run: Run, others: Mapping[str, pl.LazyFrame]) -> _Batch:
    numbered = bronze.with_columns(pl.int_range(pl.len(), dtype=pl.Int64).alias(ROW))
    typed, unread = unreadable(numbered.drop(ADDED_COLUMNS), config.columns)
    readable = typed.filter(unread.list.len() == 0)
    transformed, added, removed = _transformed(config, readable, run.as_of)
    validation = validate(
        transformed.drop(ROW), _rules(config), as_of=run.as_of, tables=others, sensitive=config.sensitive_columns
    )
    failed = transformed.select(ROW).with_columns(validation.failed_rules.alias(FAILED))
    reasons = _reasons(unread, failed.filter(~validation.passes))
    bad = bronze.with_row_index(ROW).with_columns(pl.col(ROW).cast(pl.Int64)).join(reasons, on=ROW).drop(ROW)
    good, duplicates = _deduplicated(config, transformed.drop(ROW).filter(validation.passes), run.as_of)
    rows = RowCount(bronze.height, good.height, _lost(unread, validation.passes), added, {**removed, **duplicates})
    stamped = bad.with_columns(pl.lit(run.id).alias("_run_id"))
    return _Batch(good, stamped, rows, validation.outcomes)


def _transformed(
    config: "DataConfig", frame: pl.DataFrame, as_of: datetime
) -> tuple[pl.DataFrame, dict[str, int], dict[str, int]]:
    """The frame after every step but deduplicate, and the rows that steps added and removed."""
    added: dict[str, int] = {}
    removed: dict[str, int] = {}
    for step in config.transformation_steps:
        if step.type == "deduplicate":
            continue
        before = frame.height
        frame = transform(frame.lazy(), step, as_of).collect()
        if frame.height > before:
            added[step.type] = added.get(step.type, 0) + frame.height - before
        elif frame.height < before:
            removed[step.type] = removed.get(step.type, 0) + before - frame.height
    return frame, added, removed


def _rules(config: "DataConfig") -> list[Rule]:
    """The document's rules, and that no part of a primary key is null."""
    declared = [
        Rule(rule.name, rule.condition, rule.severity, rule.tolerance, rule.description) for rule in config.validation_rules
    ]
    keys = [
        Rule(f"{key}_is_a_key", f"`{key}` is not null", "error", None, "part of the primary key")
        for key in config.primary_keys
    ]
    return declared + keys


def _reasons(unread: pl.Series, failed: pl.DataFrame) -> pl.DataFrame:
    """For each bronze row that does not go on, the names of what it broke. Columns: _row, _failed_rules."""
    rows = pl.DataFrame({ROW: pl.int_range(len(unread), dtype=pl.Int64, eager=True), FAILED: unread})
    both = pl.concat([rows.filter(pl.col(FAILED).list.len() > 0), failed])
    return both.group_by(ROW, maintain_order=True).agg(pl.col(FAILED).flatten().unique(maintain_order=True))


def _lost(unread: pl.Series, passes: pl.Series) -> int:
    return int((unread.list.len() > 0).sum()) + len(passes) - int(passes.sum())


def _deduplicated(
    config: "DataConfig", frame: pl.DataFrame, as_of: datetime
) -> tuple[pl.DataFrame, dict[str, int]]:
    """One row a key, by the document's own steps and, before a merge, by its primary keys (the last row wins)."""
    removed: dict[str, int] = {}
    for step in config.transformation_steps:
        if step.type == "deduplicate":
            height = frame.height
            frame = transform(frame.lazy(), step, as_of).collect()
            removed["deduplicate"] = removed.get("deduplicate", 0) + height - frame.height
    if config.write_mode == "merge" or (config.write_mode is None and config.primary_keys):
        height = frame.height
        frame = frame.unique(subset=list(config.primary_keys), keep="last", maintain_order=True)
        removed["merge"] = height - frame.height
    return frame, {name: count for name, count in removed.items() if count}


def _blocking(config: "DataConfig", batch: _Batch, present: int) -> tuple[str, ...]:
    """Why nothing downstream may run; empty where all is well."""
    reasons = []
    share = batch.rows.quarantined / batch.rows.read if batch.rows.read else 0.0
    if share > config.max_error_fraction:
        reasons.append(
            f"{share:.2%} of {batch.rows.read} rows break error rules, more than max_error_fraction {config.max_error_fraction:.2%}"
        )
    if present + batch.good.height < config.min_rows:
        reasons.append(f"{present + batch.good.height} rows, fewer than min_rows {config.min_rows}")
    for outcome in batch.outcomes:
        severe = outcome.rule.severity == "critical" or (outcome.table_level and outcome.rule.severity == "error")
        if severe and not outcome.passed:
            reasons.append(f"rule '{outcome.rule.name}' ({outcome.rule.severity}) does not hold: {outcome.rule.condition}")
    return tuple(reasons)


def _write_silver(config: "DataConfig", tables: DataTables, batch: _Batch, until: int) -> RowCount:
    partitions: Sequence[str] = config.partitioning_columns
    transactions = {BRONZE: until}
    mode = config.write_mode or ("merge" if config.primary_keys else "append")
    if mode == "merge":
        written = delta.merge(
            tables.silver, batch.good, keys=config.primary_keys, transactions=transactions, partition_by=partitions
        )
    elif mode == "overwrite":
        written = delta.overwrite(tables.silver, batch.good, transactions=transactions, partition_by=partitions)
    else:
        written = delta.append(tables.silver, batch.good, transactions=transactions, partition_by=partitions)
    updated = {"merge": written.updated} if written.updated else {}
    return batch.rows + RowCount(written=-written.updated, removed=updated)
