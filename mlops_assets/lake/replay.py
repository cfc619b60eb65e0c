"""Replay of quarantined rows: those that pass by a corrected rule, a repair or a release are written to silver, once.

The quarantine records a row's history: what arrived, the rules it broke, and the replay and overrides it left with. A
replay first marks its rows there with a number that both tables record; after a kill between the two commits, the next
replay first writes the marked rows, with the marks' overrides.
"""

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
from filelock import FileLock

from mlops_assets.lake import delta
from mlops_assets.lake.batch import ADDED_COLUMNS, Batch, Run, key_rule, silver_rules
from mlops_assets.lake.errors import LakeError, nearest
from mlops_assets.lake.newer import superseded
from mlops_assets.lake.polars import POLARS
from mlops_assets.lake.prepare import prepared
from mlops_assets.lake.quarantine import FINDINGS, IDENTITY, MARKS, REPLAY, mark, waiting
from mlops_assets.lake.refine import DataTables, Refined
from mlops_assets.lake.rowcount import RowCount
from mlops_assets.lake.silver import write_silver
from mlops_assets.rules import Rule, is_table_level, parse, schema_of
from mlops_assets.rules import polars as rules

if TYPE_CHECKING:
    from mlops_assets.config import DataConfig


@dataclass(frozen=True)
class Overrides:
    """What a person decides about quarantined rows, in the rule language.

    `where` chooses rows by the quarantine's columns; `repair` gives columns of the source new values; the rules in
    `release` are shown but stop none of these rows. The quarantine keeps what arrived.
    """

    where: str | None = None
    repair: Mapping[str, str] = field(default_factory=dict)
    release: tuple[str, ...] = ()


NOTHING = Overrides()


def replay(
    config: "DataConfig",
    tables: DataTables,
    run: Run,
    others: Mapping[str, pl.LazyFrame],
    overrides: Overrides = NOTHING,
) -> Refined:
    """Bring the waiting rows of the quarantine that now pass the steps and rules into silver, each row once.

    Table-level rules are skipped, since the rows are not the table. A row whose key has arrived again since is not
    written, and is counted as removed by the merge.

    Raises:
        LakeError: an override names no rule or column, or the table is overwritten by each run.
        RuleError: `where`, a repair or a rule does not fit the columns.
    """
    _refuse_what_cannot_be(config, overrides)
    with _alone(tables.quarantine):
        return _replay(config, tables, run, others, overrides)


def _replay(
    config: "DataConfig", tables: DataTables, run: Run, others: Mapping[str, pl.LazyFrame], overrides: Overrides
) -> Refined:
    _finish(config, tables, others)
    quarantined = waiting(tables.quarantine)
    chosen = _chosen(quarantined, overrides.where)
    if chosen.is_empty():
        return Refined(RowCount())
    batch, origin = _prepare(config, chosen, run, others, overrides)
    number = 1 + max(delta.transaction_version(path, REPLAY) or 0 for path in (tables.quarantine, tables.silver))
    leaving = chosen.join(batch.bad.select(IDENTITY), on=IDENTITY, how="anti", maintain_order="left")
    if leaving.is_empty():
        return Refined(RowCount(batch.read, quarantined=batch.bad_rows), batch.outcomes)
    mark(tables.quarantine, leaving, _marks(number, run, overrides))
    written, removed = _write(config, tables, chosen, (batch.good, origin), number, run.as_of)
    still = chosen.height - (quarantined.height - waiting(tables.quarantine).height)
    rows = RowCount(batch.read, written, still, batch.added, _counted({**batch.removed, **removed}))
    rows.check()
    return Refined(rows, batch.outcomes)


def _alone(quarantine: str) -> AbstractContextManager[object]:
    """A lock, since concurrent replays would write rows twice; on an object store the scheduler must prevent them."""
    if "://" in quarantine or not delta.exists(quarantine):
        return nullcontext()
    return FileLock(str(Path(quarantine) / "_replay.lock"))


def _refuse_what_cannot_be(config: "DataConfig", overrides: Overrides) -> None:
    if config.mode.startswith("overwrite"):
        raise LakeError("a table with write_mode overwrite holds its last run only; mend its source and run it again")
    keys = {key_rule(key) for key in config.primary_keys}
    known = [rule.name for rule in silver_rules(config) if rule.name not in keys]
    for name in overrides.release:
        if name in keys:
            raise LakeError(f"'{name}' cannot be released: a row without its key is no row; repair the key")
        if name not in known:
            raise LakeError(f"no rule '{name}' to release{nearest(name, known)}; unreadable values need a repair")


def _chosen(quarantined: pl.DataFrame, where: str | None) -> pl.DataFrame:
    if where is None or quarantined.is_empty():
        return quarantined
    return quarantined.filter(rules.expression(where, schema_of(quarantined)).fill_null(False))


def _prepare(
    config: "DataConfig",
    chosen: pl.DataFrame,
    run: Run,
    others: Mapping[str, pl.LazyFrame],
    overrides: Overrides,
) -> tuple[Batch[pl.DataFrame], pl.Series]:
    return prepared(config, _repaired(chosen, overrides.repair), run, others, _released(config, overrides.release))


def _repaired(rows: pl.DataFrame, repair: Mapping[str, str]) -> pl.DataFrame:
    """The rows as bronze would have had them, every repair reading what arrived."""
    columns = [name for name in rows.columns if name not in (*ADDED_COLUMNS, *FINDINGS)]
    for name in repair:
        if name not in columns:
            raise LakeError(f"repair: no column '{name}' in the source{nearest(name, columns)}")
    schema = schema_of(rows)
    return rows.with_columns(
        rules.expression(text, schema).cast(rows.schema[name]).alias(name) for name, text in repair.items()
    ).drop(FINDINGS)


def _released(config: "DataConfig", release: tuple[str, ...]) -> list[Rule]:
    return [
        replace(rule, severity="info") if rule.name in release else rule
        for rule in silver_rules(config)
        if not is_table_level(parse(rule.condition))
    ]


def _marks(number: int, run: Run, overrides: Overrides) -> dict[str, object]:
    marks = (number, run.as_of, run.id, list(overrides.release), json.dumps(dict(overrides.repair)))
    return dict(zip(MARKS, marks, strict=True))


def _write(
    config: "DataConfig",
    tables: DataTables,
    chosen: pl.DataFrame,
    good: tuple[pl.DataFrame, pl.Series],
    number: int,
    as_of: datetime,
) -> tuple[int, dict[str, int]]:
    """The good rows (with their places in `chosen`) that no newer row of their key has replaced, into silver."""
    old = superseded(config, tables.bronze, waiting(tables.quarantine), chosen, *good, as_of)
    written, removed = write_silver(
        config, tables.silver, good[0].filter(~old), {"transactions": {REPLAY: number}}, POLARS
    )
    return written, {**removed, "merge": removed.get("merge", 0) + int(old.sum())}


def _counted(removed: Mapping[str, int]) -> dict[str, int]:
    return {name: count for name, count in removed.items() if count}


def _finish(config: "DataConfig", tables: DataTables, others: Mapping[str, pl.LazyFrame]) -> None:
    """Write what a killed replay marked and did not write; rows that no longer pass lose their mark and wait on."""
    number = delta.transaction_version(tables.quarantine, REPLAY)
    if number is None or number <= (delta.transaction_version(tables.silver, REPLAY) or 0):
        return
    marked = delta.scan(tables.quarantine).filter(pl.col("_replay") == number)
    rows = marked.sort("_ingested_at", *IDENTITY).collect()
    marks = rows.select(MARKS.names()).row(0, named=True)
    overrides = Overrides(repair=json.loads(marks["_repair"]), release=tuple(marks["_released"] or ()))
    chosen, then = rows.drop(MARKS.names()), Run(marks["_replayed_run"], marks["_replayed_at"])
    batch, origin = _prepare(config, chosen, then, others, overrides)
    if batch.bad_rows:
        back = chosen.join(batch.bad.select(IDENTITY), on=IDENTITY, how="semi")
        mark(tables.quarantine, back, dict.fromkeys(MARKS))
    _write(config, tables, chosen, (batch.good, origin), number, then.as_of)
