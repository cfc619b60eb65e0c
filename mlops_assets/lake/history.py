"""A key's history (slowly changing dimension, type 2): which versions of a row there were, and when each was valid.

A version is valid from its own time (`sequence_by`, or when it arrived) until the next one's. A row that says what the
version before it says adds nothing; one that comes late takes its place in between, and what follows from that is
worked out again for its key alone.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import polars as pl

from mlops_assets.config.data import HISTORY
from mlops_assets.lake import delta
from mlops_assets.lake.errors import LakeError

if TYPE_CHECKING:
    from mlops_assets.config import DataConfig

FROM, TO, CURRENT = HISTORY
GONE = "_gone"


def history(config: "DataConfig", rows: pl.DataFrame, silver: str) -> pl.DataFrame:
    """What a merge on the primary keys and `valid_from` must write for `rows`, which are in the order of arrival; of
    versions that are no more, `_gone` is true.

    Raises:
        LakeError: there is no column `sequence_by`, or it is no date or time.
    """
    keys = config.primary_keys
    delta.fitting(silver, rows)
    seen = _dated(config, rows)
    known = _known(keys, seen, silver)
    every = pl.concat([known.drop(TO, CURRENT), seen], how="diagonal_relaxed")
    versions = _versions(keys, every, untracked(config))
    if known.is_empty():
        return versions.with_columns(pl.lit(False).alias(GONE))
    known = pl.concat([known, versions.clear()], how="diagonal_relaxed")
    changed = versions.join(known, on=versions.columns, how="anti", nulls_equal=True)
    gone = known.join(versions, on=[*keys, FROM], how="anti")
    parts = [changed.with_columns(pl.lit(False).alias(GONE)), gone.with_columns(pl.lit(True).alias(GONE))]
    return pl.concat(parts, how="diagonal_relaxed")


def untracked(config: "DataConfig") -> set[str]:
    """Columns whose change alone makes no version."""
    return {*([config.sequence] if config.sequence else []), *config.arrival_columns.values()}


def refuse_own(columns: Iterable[str]) -> None:
    """Raise LakeError for a column of the rows that a history has for itself."""
    for name in columns:
        if name in HISTORY:
            raise LakeError(f"column '{name}' is one that a history (scd2) has for itself; rename or drop yours")


def no_time(column: str) -> LakeError:
    """The error for a `sequence_by` that is missing or no date or time."""
    return LakeError(f"sequence_by: column '{column}' must be a date or datetime of the table, after the steps")


def _dated(config: "DataConfig", rows: pl.DataFrame) -> pl.DataFrame:
    column = config.sequence
    if column is None:
        return rows
    if column not in rows.columns or not rows.schema[column].is_temporal():
        raise no_time(column)
    instant = pl.Datetime("us", "UTC")
    moment = pl.col(column).cast(pl.Datetime("us"))
    zoned = pl.col(column).cast(instant) if rows.schema[column] == instant else moment.dt.replace_time_zone("UTC")
    return rows.with_columns(zoned.alias(FROM))


def _known(keys: list[str], seen: pl.DataFrame, silver: str) -> pl.DataFrame:
    """The versions that the table has of the keys of `seen`."""
    if not delta.exists(silver):
        own = {FROM: pl.Datetime("us", "UTC"), TO: pl.Datetime("us", "UTC"), CURRENT: pl.Boolean()}
        return pl.DataFrame(schema={**seen.schema, **own})
    wanted = seen.select(keys).unique().lazy()
    return delta.scan(silver).join(wanted, on=keys, how="semi").collect()


def _versions(keys: list[str], every: pl.DataFrame, not_tracked: set[str]) -> pl.DataFrame:
    """All that was observed, as versions: one an instant (the last to arrive), one a change, each until the next."""
    ordered = every.unique([*keys, FROM], keep="last", maintain_order=True).sort(FROM, maintain_order=True)
    tracked = [name for name in every.columns if name not in {*keys, *HISTORY, *not_tracked}]
    first = pl.int_range(pl.len()).over(keys) == 0
    other = [pl.col(name).ne_missing(pl.col(name).shift().over(keys)) for name in tracked]
    changes = ordered.filter(pl.any_horizontal(first, *other))
    until = pl.col(FROM).shift(-1).over(keys)
    return changes.with_columns(until.alias(TO), until.is_null().alias(CURRENT))
