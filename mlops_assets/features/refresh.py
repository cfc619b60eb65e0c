"""Keeping a feature table up to date: rows are built for source rows that are new or changed, and merged on the
primary keys.

A row's joined values and aggregates are those that were known when it was built. A joined table that is corrected
later, and a source row that comes late, change rows that are built afterwards; `everything` builds all of them again.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from mlops_assets.config.features import FeatureConfig
from mlops_assets.features.aggregates import past_of
from mlops_assets.features.table import duplicate_keys, feature_frame, null_keys
from mlops_assets.lake import delta

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
    config: FeatureConfig, *, source: str, joined: Mapping[str, str], table: str, everything: bool = False
) -> Refreshed:
    """Build what is missing in the feature `table` from the Delta tables at `source` and `joined` (path by reference).

    Raises:
        LakeError, FeatureError: a table or a column is not there, or a join cannot be made. Nothing was written.
    """
    newest = delta.latest(source)
    done = None if everything else delta.transaction_version(table, SOURCE)
    if done == newest:
        return Refreshed()
    rows = delta.changes(source, done, newest, keys=config.primary_keys)
    tables = {name: delta.scan(path) for name, path in joined.items()}
    history = past_of(rows, delta.scan(source, newest), config) if config.aggregates else None
    frame = feature_frame(rows.lazy(), config, tables, history=history).collect()
    duplicates, nulls = duplicate_keys(frame.lazy(), config), null_keys(frame.lazy(), config)
    if duplicates or nulls:
        return Refreshed(rows.height, duplicates=duplicates, nulls=nulls)
    written = _write(table, frame, config, newest, everything=everything)
    return Refreshed(rows.height, written.inserted, written.updated)


def _write(table: str, frame: pl.DataFrame, config: FeatureConfig, version: int, *, everything: bool) -> delta.Written:
    options: delta.Commit = {"transactions": {SOURCE: version}, "partition_by": config.partition_columns}
    if everything:
        return delta.overwrite(table, frame, **options)
    return delta.merge(table, frame, keys=config.primary_keys, **options)
