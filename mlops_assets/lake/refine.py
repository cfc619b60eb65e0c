"""Silver: bronze's new rows in their declared types, transformed, validated, de-duplicated and merged on key, in that
order.

The quarantine keeps bronze's columns untouched. Both tables record the bronze version up to which they are done, and
the quarantine is written first: after a kill between the two, the half that is missing is written, and no row twice.

"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlops_assets.lake import delta
from mlops_assets.lake.batch import Batch, Run
from mlops_assets.lake.engine import Engine
from mlops_assets.lake.rowcount import RowCount
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


def refine(
    config: "DataConfig", tables: DataTables, run: Run, others: Mapping[str, Any], engine: Engine[Any]
) -> Refined:
    """Bring the bronze rows that silver does not have yet into silver or the quarantine.

    `others` are the engine's frames of the tables that rules may name (`tailnum in planes.tailnum`).

    Raises:
        LakeError, RuleError: a step or a rule does not fit the table's columns. Nothing was written.
    """
    newest = delta.version(tables.bronze)
    done = delta.transaction_version(tables.silver, BRONZE)
    held = delta.transaction_version(tables.quarantine, BRONZE)
    if held is not None and (done is None or held > done):
        # A run was killed between its two commits: the quarantine has its rows already.
        missing = engine.prepare(config, engine.changes(tables.bronze, done, held), run, others)
        write_silver(config, tables.silver, missing.good, {BRONZE: held}, engine)
        done = held
    if newest is None or done == newest:
        return Refined(RowCount())
    batch = engine.prepare(config, engine.changes(tables.bronze, done, newest), run, others)
    blocked = _blocking(config, batch, delta.rows(tables.silver))
    if blocked:
        return Refined(RowCount(batch.read, quarantined=batch.bad_rows), batch.outcomes, blocked)
    rows = _write(config, tables, batch, newest, engine)
    rows.check()
    return Refined(rows, batch.outcomes)


def _blocking(config: "DataConfig", batch: Batch[Any], present: int) -> tuple[str, ...]:
    """Why nothing downstream may run; empty where all is well."""
    reasons = []
    if batch.bad_share > config.max_error_fraction:
        allowed = f"more than max_error_fraction {config.max_error_fraction:.2%}"
        reasons.append(f"{batch.bad_share:.2%} of {batch.read} rows break error rules, {allowed}")
    if present + batch.good_rows < config.min_rows:
        reasons.append(f"{present + batch.good_rows} rows, fewer than min_rows {config.min_rows}")
    for outcome in batch.outcomes:
        severe = outcome.rule.severity == "critical" or (outcome.table_level and outcome.rule.severity == "error")
        if severe and not outcome.passed:
            reasons.append(
                f"rule '{outcome.rule.name}' ({outcome.rule.severity}) does not hold: {outcome.rule.condition}"
            )
    return tuple(reasons)


def _write(config: "DataConfig", tables: DataTables, batch: Batch[Any], until: int, engine: Engine[Any]) -> RowCount:
    """Both commits; the rows written are counted in the tables themselves."""
    held = delta.rows(tables.quarantine)
    engine.append(tables.quarantine, batch.bad, transactions={BRONZE: until}, add_columns=True)
    written, removed = write_silver(config, tables.silver, batch.good, {BRONZE: until}, engine)
    return RowCount(
        batch.read,
        written,
        delta.rows(tables.quarantine) - held,
        batch.added,
        {name: count for name, count in {**batch.removed, **removed}.items() if count},
    )


def write_silver(
    config: "DataConfig", silver: str, good: Any, transactions: Mapping[str, int], engine: Engine[Any]
) -> tuple[int, dict[str, int]]:
    """Bring rows into the table. Returns the rows that it gained, and those that deduplicate and merge removed."""
    unique, removed = engine.without_duplicates(config, good)
    before = delta.rows(silver)
    options: delta.Commit = {"transactions": transactions, "partition_by": config.partitioning_columns}
    match config.write_mode or ("merge" if config.primary_keys else "append"):
        case "merge":
            done = engine.merge(silver, unique, keys=config.primary_keys, **options)
            removed["merge"] = removed.get("merge", 0) + done.updated
        case "overwrite":
            engine.overwrite(silver, unique, **options)
            before = 0
        case _:
            engine.append(silver, unique, **options, add_columns=True)
    return delta.rows(silver) - before, removed
