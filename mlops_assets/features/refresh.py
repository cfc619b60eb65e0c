"""Keeping a feature table up to date: rows are built for source rows that are new or changed, and merged on the
primary keys.

A row's joined values and aggregates are those that were known when it was built. A joined table that is corrected
later, and a source row that comes late, change rows that are built afterwards; `everything` builds all of them again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlops_assets.config.features import FeatureConfig
from mlops_assets.features.build import build
from mlops_assets.lake import delta
from mlops_assets.lake.engine import Engine
from mlops_assets.lake.polars import POLARS

SOURCE = "source"  # the transaction that says up to which version of the source the rows are built


@dataclass(frozen=True)
class Refreshed:
    """What one run built; nothing was written where a primary key is repeated or null."""

    read: int = 0
    inserted: int = 0
    updated: int = 0
    duplicates: int = 0
    nulls: int = 0


def refresh(
    config: FeatureConfig,
    *,
    source: str,
    joined: Mapping[str, str],
    table: str,
    engine: Engine[Any] = POLARS,
    everything: bool = False,
) -> Refreshed:
    """Build what is missing in the feature `table` from the Delta tables at `source` and `joined` (path by reference).

    Raises:
        LakeError, FeatureError: a table or a column is not there, or a join cannot be made. Nothing was written.
    """
    newest = delta.latest(source)
    done = None if everything else delta.transaction_version(table, SOURCE)
    if done == newest:
        return Refreshed()
    rows = engine.changes(source, done, newest, keys=config.primary_keys)
    tables = {name: engine.scan(path) for name, path in joined.items()}
    built = build(rows, engine.scan(source, newest), config, tables, engine.keep)
    if built.duplicates or built.nulls:
        return Refreshed(built.read, duplicates=built.duplicates, nulls=built.nulls)
    options: delta.Commit = {"transactions": {SOURCE: newest}, "partition_by": config.partition_columns}
    if everything:
        written = engine.overwrite(table, built.frame, **options)
    else:
        written = engine.merge(table, built.frame, keys=config.primary_keys, **options)
    return Refreshed(built.read, written.inserted, written.updated)
