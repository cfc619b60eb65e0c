"""Silver: bronze's new rows in their declared types, transformed, validated, de-duplicated and merged on key, in that
order.

The quarantine keeps bronze's columns untouched. Both tables record the bronze version up to which they are done, and
the quarantine is written first: after a kill between the two, the half that is missing is written, and no row twice.

"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from mlops_assets.lake import delta
from mlops_assets.lake.batch import Batch, Run, prepare
from mlops_assets.lake.rowcount import RowCount
from mlops_assets.lake.shape import without_duplicates
from mlops_assets.rules import RuleOutcome

if TYPE_CHECKING:
    from mlops_assets.config import DataConfig

BRONZE = "bronze"  # the transaction that both tables record


@dataclass(frozen=True)
class DataTables:
    """Paths of the three tables of a data document."""

    bronze: str
    silver: str
    quarantine: str


@dataclass(frozen=True)
class Refined:
    """What one run brought into a silver table and its quarantine; where `blocked` says why, nothing was written."""

    rows: RowCount
    outcomes: tuple[RuleOutcome, ...] = ()
    blocked: tuple[str, ...] = ()


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
        missing = prepare(config, delta.changes(tables.bronze, done, held), run, others)
        write_silver(config, tables.silver, missing.good, {BRONZE: held})
        done = held
    if newest is None or done == newest:
        return Refined(RowCount())
    batch = prepare(config, delta.changes(tables.bronze, done, newest), run, others)
    blocked = _blocking(config, batch, delta.rows(tables.silver))
    if blocked:
        return Refined(RowCount(batch.read, quarantined=batch.bad.height), batch.outcomes, blocked)
    rows = _write(config, tables, batch, newest)
    rows.check()
    return Refined(rows, batch.outcomes)


def _blocking(config: "DataConfig", batch: Batch, present: int) -> tuple[str, ...]:
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


def _write(config: "DataConfig", tables: DataTables, batch: Batch, until: int) -> RowCount:
    """Both commits; the rows written are counted in the tables themselves."""
    held = delta.rows(tables.quarantine)
    delta.append(tables.quarantine, batch.bad, transactions={BRONZE: until}, add_columns=True)
    written, removed = write_silver(config, tables.silver, batch.good, {BRONZE: until})
    return RowCount(
        batch.read,
        written,
        delta.rows(tables.quarantine) - held,
        batch.added,
        {name: count for name, count in {**batch.removed, **removed}.items() if count},
    )


def write_silver(
    config: "DataConfig", silver: str, good: pl.DataFrame, transactions: Mapping[str, int]
) -> tuple[int, dict[str, int]]:
    """Bring rows into the table. Returns the rows that it gained, and those that deduplicate and merge removed."""
    unique, removed = without_duplicates(config, good)
    before = delta.rows(silver)
    options: delta.Commit = {"transactions": transactions, "partition_by": config.partitioning_columns}
    match config.write_mode or ("merge" if config.primary_keys else "append"):
        case "merge":
            done = delta.merge(silver, _widened(silver, unique), keys=config.primary_keys, **options)
            removed["merge"] = removed.get("merge", 0) + done.updated
        case "overwrite":
            delta.overwrite(silver, unique, **options)
            before = 0
        case _:
            delta.append(silver, unique, **options, add_columns=True)
    return delta.rows(silver) - before, removed


def _widened(silver: str, frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with every column of the table, after the table has been given every column of the frame."""
    if not delta.exists(silver):
        return frame
    known = delta.schema(silver)
    if any(name not in known for name in frame.columns):
        # A commit of its own: columns without values change no row, so a kill after it loses nothing.
        delta.append(silver, frame.clear(), transactions={}, add_columns=True)
    gone = [pl.lit(None, dtype).alias(name) for name, dtype in known.items() if name not in frame.columns]
    return frame.with_columns(gone)
