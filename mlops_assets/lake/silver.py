"""Writing good rows to a silver table by the document's `write_mode`."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from mlops_assets.lake import delta
from mlops_assets.lake.engine import Engine
from mlops_assets.lake.sql import name_in_sql, quoted
from mlops_assets.lake.stretches import Stretch
from mlops_assets.lake.writing import CONFIGURATION, FEED

if TYPE_CHECKING:
    from mlops_assets.config import DataConfig

GONE = "_gone"
CHANGING = ("merge", "scd2", "overwrite_partitions")
Removed = dict[str, int]


def keeps_a_feed(config: "DataConfig") -> bool:
    """Whether the silver table has a change data feed: if configured, or if its rows can change."""
    return config.change_data_feed or config.mode in CHANGING or config.on_changed_source == "replace"


def silver_properties(config: "DataConfig") -> Mapping[str, str]:
    """Properties that a silver table is made with."""
    return {**CONFIGURATION, FEED: str(keeps_a_feed(config)).lower()}


def quarantine_properties(config: "DataConfig") -> Mapping[str, str]:
    """Properties that a quarantine is made with; nothing is made from it."""
    return {**CONFIGURATION, FEED: "false"}


def write_silver(
    config: "DataConfig", silver: str, good: Any, commit: delta.Commit, engine: Engine[Any]
) -> tuple[int, Removed]:
    """Write rows to the table. Returns the number of rows it gained, and of rows removed, by what removed them."""
    unique, removed = engine.without_duplicates(config, good)
    options = _options(config, commit)
    match config.mode:
        case "merge":
            done = engine.merge(silver, unique, keys=config.primary_keys, newer=_newer(config), **options)
            return done.inserted, _counted(removed, merge=done.updated, late=_late(config, engine, unique, done))
        case "scd2":
            changes = engine.history(config, unique, silver)
            done = engine.merge(silver, changes, keys=[*config.primary_keys, "valid_from"], gone=GONE, **options)
            gained = done.inserted - done.deleted
            return gained, _counted(removed, scd2=engine.count(unique) - gained)
        case "overwrite":
            return engine.overwrite(silver, unique, **options).inserted, removed
        case "overwrite_partitions":
            where = _partitions_of(engine.distinct(unique, config.partitioning_columns))
            return engine.overwrite(silver, unique, where=where, **options).inserted, removed
        case _:
            return engine.append(silver, unique, add_columns=True, **options).inserted, removed


def correct_silver(
    config: "DataConfig",
    tables: tuple[str, str, str],
    stretch: Stretch,
    good: Any,
    commit: delta.Commit,
    engine: Engine[Any],
) -> tuple[int, Removed]:
    """The same for rows that replace a corrected file's. `tables` are bronze, silver and quarantine."""
    bronze, silver, quarantine = tables
    if config.mode not in ("append", "merge") or not delta.exists(silver):
        return write_silver(config, silver, good, commit, engine)
    unique, removed = engine.without_duplicates(config, good)
    options = _options(config, commit)
    if config.mode == "append":
        files = engine.corrected(bronze, stretch)
        assert config.file_column
        where = f"{name_in_sql(config.file_column)} IN ({', '.join(map(quoted, files))})"
        return engine.overwrite(silver, unique, where=where, **options).inserted, removed
    rows = engine.with_vanished(config, unique, bronze, quarantine, stretch)
    newer = _newer(config)
    newer = newer and f"source.`{GONE}` IS NULL OR ({newer})"
    done = engine.merge(silver, rows, keys=config.primary_keys, gone=GONE, newer=newer, **options)
    return done.inserted, _counted(removed, merge=engine.count(unique) - done.inserted)


def _options(config: "DataConfig", commit: delta.Commit) -> delta.Commit:
    return {**commit, "partition_by": config.partitioning_columns, "properties": silver_properties(config)}


def _newer(config: "DataConfig") -> str | None:
    """That the arriving row is not older than the table's."""
    if config.sequence is None:
        return None
    column = name_in_sql(config.sequence)
    return f"target.{column} IS NULL OR source.{column} >= target.{column}"


def _late(config: "DataConfig", engine: Engine[Any], unique: Any, done: delta.Written) -> int:
    """The number of rows not written because silver has a newer row of the key."""
    return engine.count(unique) - done.inserted - done.updated if config.sequence else 0


def _counted(removed: Removed, **more: int) -> Removed:
    return {**removed, **{name: removed.get(name, 0) + count for name, count in more.items() if count}}


def _partitions_of(values: list[dict[str, Any]]) -> str:
    """The rows of the given partitions, as SQL."""
    if not values:
        return "false"
    return " OR ".join(
        "(" + " AND ".join(_equals(column, value) for column, value in each.items()) + ")" for each in values
    )


def _equals(column: str, value: Any) -> str:
    name = name_in_sql(column)
    if value is None:
        return f"{name} IS NULL"
    if isinstance(value, datetime):
        # A string, which takes the column's type: delta-rs has timestamp literals in microseconds only.
        return f"{name} = {quoted(value.isoformat())}"
    if isinstance(value, date):
        return f"{name} = CAST({quoted(value.isoformat())} AS DATE)"
    return f"{name} = {quoted(value) if isinstance(value, str) else str(value).lower()}"
