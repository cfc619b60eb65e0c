"""Keeping a feature table up to date: rows are built for source rows that are new or changed, and merged on the
primary keys; rows whose keys have left the source leave the table too.

A row's joined values and aggregates are those that were known when it was built. A joined table that is corrected
later, and a source row that comes late or leaves, change rows that are built afterwards; `everything` builds all of
them again, and so does a document that asks for other rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlops_assets.config import config_hash
from mlops_assets.config.features import FeatureConfig
from mlops_assets.features.build import Built, build, with_deleted_keys
from mlops_assets.lake import delta
from mlops_assets.lake.engine import Engine
from mlops_assets.lake.fingerprints import fingerprint, next_number, says
from mlops_assets.lake.polars import POLARS

# The transactions that say up to which version of the source the rows are built, and by which document.
SOURCE, DOCUMENT = "source", "document"
GONE = "_gone"
# What of a document decides no row of its table.
BESIDE: Mapping[str, Any] = {
    "description": "",
    "feature_table_name": "",
    "feature_transformations": {},
    "offline_store_path": None,
    "online_store_enabled": False,
    "tags": {},
}


@dataclass(frozen=True)
class Refreshed:
    """What one run built; nothing was written where a primary key is repeated or null."""

    read: int = 0
    inserted: int = 0
    updated: int = 0
    deleted: int = 0
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
    """Build what is missing in the feature `table` from the Delta tables at `source` and `joined` (path by reference);
    all of it where `everything` is asked for, or where the table is not known to be made by this document.

    Raises:
        LakeError, FeatureError: a table or a column is not there, or a join cannot be made. Nothing was written.
    """
    newest, document = delta.latest(source), _fingerprint(config)
    before, known = (delta.transaction_version(table, name) for name in (SOURCE, DOCUMENT))
    # A source whose versions begin again is another table.
    rebuild = everything or not says(known, document) or before is None or before > newest
    if not rebuild and before == newest:
        return Refreshed()
    previous = None if rebuild else before
    rows = engine.changes(source, previous, newest, keys=config.primary_keys)
    tables = {name: engine.scan(path) for name, path in joined.items()}
    built = build(rows, engine.scan(source, newest), config, tables, engine.keep)
    if built.duplicates or built.nulls:
        return Refreshed(built.read, duplicates=built.duplicates, nulls=built.nulls)
    if previous is None:
        made_by = {DOCUMENT: next_number(f"{table}: {DOCUMENT}", known, document)}
        transactions = made_by if before == newest else {**made_by, SOURCE: newest}
        written = engine.overwrite(table, built.frame, transactions=transactions, partition_by=config.partition_columns)
    else:
        written = _merge(config, built, source, (previous, newest), table, engine)
    return Refreshed(built.read, written.inserted, written.updated, written.deleted)


def _merge(
    config: FeatureConfig, built: Built, source: str, versions: tuple[int, int], table: str, engine: Engine[Any]
) -> delta.Written:
    """Rows of the source's keys between two of its `versions`, merged; those of keys that have left it, deleted."""
    options: delta.Commit = {"transactions": {SOURCE: versions[1]}, "partition_by": config.partition_columns}
    vanished = engine.keep(engine.vanished(source, *versions, keys=config.primary_keys))
    if not engine.count(vanished):
        return engine.merge(table, built.frame, keys=config.primary_keys, **options)
    rows = with_deleted_keys(built.frame, vanished, GONE)
    return engine.merge(table, rows, keys=config.primary_keys, gone=GONE, **options)


def _fingerprint(config: FeatureConfig) -> int:
    """48 bits that change with what decides the rows of the table."""
    return fingerprint(config_hash(config.model_copy(update=BESIDE)).encode())
