"""Delta tables through delta-rs: versions, transactions, appends, merges, change feeds. Frames are Polars.

A writer names what it wrote by a `Transaction`: the table's own log then says what was done, in the same commit as the
rows, so that a retry after a kill finds the answer there. delta-rs records these identifiers but does not enforce them:
callers ask `transaction_version` first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import polars as pl
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from mlops_assets.lake.errors import LakeError

CHANGE_COLUMNS = ("_change_type", "_commit_version", "_commit_timestamp")
# A log is read from its last checkpoint on: ten commits at most, however old the table is.
CONFIGURATION = {"delta.enableChangeDataFeed": "true", "delta.checkpointInterval": "10"}

on_conflict = retry(
    retry=retry_if_exception_type(CommitFailedError),
    wait=wait_random_exponential(multiplier=0.05, max=2),
    stop=stop_after_attempt(20),
    reraise=True,
)


class Commit(TypedDict):
    """What a write records beside its rows: who wrote up to where, and the columns that part the table's files."""

    transactions: Mapping[str, int]
    partition_by: Sequence[str]


@dataclass(frozen=True)
class Written:
    """What one write did: rows by what became of them, and the table's version after it."""

    version: int
    inserted: int = 0
    updated: int = 0


def exists(path: str) -> bool:
    """Whether a Delta table is there."""
    return DeltaTable.is_deltatable(path)


def version(path: str) -> int | None:
    """The newest version, or None where there is no table."""
    return DeltaTable(path).version() if exists(path) else None


def latest(path: str) -> int:
    """The newest version.

    Raises:
        LakeError: there is no table.
    """
    found = version(path)
    if found is None:
        raise LakeError(f"there is no Delta table at {path}; materialize the asset that writes it first")
    return found


def transaction_version(path: str, name: str) -> int | None:
    """The newest version that the writer `name` recorded in the table's log."""
    return DeltaTable(path).transaction_version(name) if exists(path) else None


def scan(path: str, at: int | None = None) -> pl.LazyFrame:
    """The table's rows, at a version or now.

    Raises:
        LakeError: there is no table.
    """
    newest = latest(path)
    return pl.scan_delta(path, version=newest if at is None else at)


def schema(path: str, at: int | None = None) -> pl.Schema:
    """The table's columns and Polars types."""
    return scan(path, at).collect_schema()


def rows(path: str, at: int | None = None) -> int:
    """The number of rows, from the log where it has statistics."""
    return int(DeltaTable(path, version=at).count()) if exists(path) else 0


def changes(path: str, after: int | None, until: int | None = None, *, keys: Sequence[str] = ()) -> pl.DataFrame:
    """Rows inserted or updated after version `after` (None: all rows) up to `until` (None: now).

    A row that changed more than once comes as often as it changed, oldest first, or, where `keys` say which rows are
    the same, in its newest form only. The cost is that of the changed rows, not of the table.
    """
    table = DeltaTable(path)
    newest = table.version() if until is None else until
    if after is None:
        return scan(path, newest).collect()
    if after >= newest:
        return scan(path, newest).clear().collect()
    feed = pl.DataFrame(table.load_cdf(starting_version=after + 1, ending_version=newest))
    wanted = feed.filter(pl.col("_change_type").is_in(["insert", "update_postimage"])).sort("_commit_version")
    if keys:
        wanted = wanted.filter(pl.col("_commit_version") == pl.col("_commit_version").max().over(list(keys)))
    columns = list(schema(path, newest))
    return normalised(wanted.drop(CHANGE_COLUMNS)).select(columns)


def _committed(transactions: Mapping[str, int], metadata: Mapping[str, str] | None = None) -> CommitProperties:
    return CommitProperties(
        app_transactions=[Transaction(name, number) for name, number in transactions.items()],
        custom_metadata=dict(metadata or {}),
    )


@on_conflict
def append(
    path: str,
    frame: pl.DataFrame,
    *,
    transactions: Mapping[str, int],
    partition_by: Sequence[str] = (),
    add_columns: bool = False,
) -> Written:
    """Add the rows of `frame` and record `transactions` in the same commit."""
    write_deltalake(
        _made(path),
        normalised(frame),
        mode="append",
        schema_mode="merge" if add_columns and exists(path) else None,
        partition_by=list(partition_by) or None,
        configuration=None if exists(path) else CONFIGURATION,
        commit_properties=_committed(transactions),
    )
    return Written(DeltaTable(path).version(), inserted=frame.height)


@on_conflict
def overwrite(
    path: str, frame: pl.DataFrame, *, transactions: Mapping[str, int], partition_by: Sequence[str] = ()
) -> Written:
    """Replace the table's rows and columns by those of `frame`; older versions stay readable."""
    write_deltalake(
        _made(path),
        normalised(frame),
        mode="overwrite",
        schema_mode="overwrite",
        partition_by=list(partition_by) or None,
        configuration=None if exists(path) else CONFIGURATION,
        commit_properties=_committed(transactions),
    )
    return Written(DeltaTable(path).version(), inserted=frame.height)


@on_conflict
def replace(
    path: str, frame: pl.DataFrame, *, partitions: Mapping[str, Sequence[str]], transactions: Mapping[str, int]
) -> Written:
    """Replace the partitions whose columns hold one of these texts by the rows of `frame`, which are of them."""
    if not exists(path):
        return append(path, frame, transactions=transactions, partition_by=list(partitions))
    table = DeltaTable(path)
    write_deltalake(
        table,
        normalised(frame),
        mode="overwrite",
        predicate=" AND ".join(f"{name} IN ({_texts(values)})" for name, values in partitions.items()),
        commit_properties=_committed(transactions),
    )
    return Written(table.version(), inserted=frame.height)


def _texts(values: Sequence[str]) -> str:
    return ", ".join("'" + value.replace("'", "''") + "'" for value in values)


def files(path: str) -> pl.DataFrame:
    """A row a file of the table, from its log alone: `partition.<column>`, `min.<column>`, `max.<column>`, num_records;
    no row where there is no table.
    """
    if not exists(path):
        return pl.DataFrame()
    return pl.DataFrame(DeltaTable(path).get_add_actions(flatten=True))


@on_conflict
def merge(
    path: str,
    frame: pl.DataFrame,
    *,
    keys: Sequence[str],
    transactions: Mapping[str, int],
    partition_by: Sequence[str] = (),
) -> Written:
    """Update the rows whose `keys` are there, insert the others. `frame` holds each key once, and no null key; columns
    that only one of the two has are null in the rows of the other.
    """
    if not exists(path):
        return append(path, frame, transactions=transactions, partition_by=partition_by)
    frame = _widened(path, frame)
    result = (
        DeltaTable(path)
        .merge(
            normalised(frame),
            " AND ".join(f"target.`{key}` = source.`{key}`" for key in keys),
            source_alias="source",
            target_alias="target",
            commit_properties=_committed(transactions),
        )
        .when_matched_update_all()
        .when_not_matched_insert_all()
        .execute()
    )
    return Written(
        DeltaTable(path).version(),
        inserted=int(result["num_target_rows_inserted"]),
        updated=int(result["num_target_rows_updated"]),
    )


def _widened(path: str, frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with every column of the table, after the table has been given every column of the frame."""
    known = schema(path)
    if any(name not in known for name in frame.columns):
        # A commit of its own: columns without values change no row, so a kill after it loses nothing.
        append(path, frame.clear(), transactions={}, add_columns=True)
    gone = [pl.lit(None, dtype).alias(name) for name, dtype in known.items() if name not in frame.columns]
    return frame.with_columns(gone)


def _made(path: str) -> str:
    if "://" not in path:
        Path(path).mkdir(parents=True, exist_ok=True)
    return path


def normalised(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame in types that every Delta reader agrees on: no NaN, no Enum or Null type, instants in UTC
    microseconds.
    """
    return frame.with_columns(
        _storable(pl.col(name), dtype) for name, dtype in frame.schema.items() if _storable_type(dtype) is not None
    )


def _storable_type(dtype: pl.DataType) -> pl.DataType | None:
    """The type to store in place of `dtype`, or None where it can stay."""
    if isinstance(dtype, pl.Enum | pl.Categorical) or dtype == pl.Null:
        return pl.String()
    if isinstance(dtype, pl.Datetime):
        return pl.Datetime("us", "UTC" if dtype.time_zone else None)
    if dtype.is_float():
        return dtype
    unsigned: dict[type[pl.DataType], pl.DataType] = {
        pl.UInt8: pl.Int16(),
        pl.UInt16: pl.Int32(),
        pl.UInt32: pl.Int64(),
        pl.UInt64: pl.Int64(),
    }
    return unsigned.get(type(dtype))


def _storable(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    if dtype.is_float():
        return column.fill_nan(None)
    if isinstance(dtype, pl.Datetime) and dtype.time_zone:
        return column.dt.convert_time_zone("UTC").dt.cast_time_unit("us")
    return column.cast(_storable_type(dtype) or dtype)


def appended(path: str, after: int | None, until: int) -> pl.DataFrame:
    """Rows of the files that were added to a table between two versions; a table that anybody wrote, without a change
    feed.

    Raises:
        LakeError: rows were updated or deleted in between, so that what is new cannot be told from the files.
    """
    if after is None:
        return scan(path, until).collect()
    before, now = (set(DeltaTable(path, version=number).file_uris()) for number in (after, until))
    if before - now:
        raise LakeError(
            f"{path}: rows were changed or removed between versions {after} and {until}; "
            "an incremental source must only grow (enable its change data feed, or ingest into a new destination)"
        )
    columns = list(schema(path, until))
    added = sorted(now - before)
    if not added:
        return scan(path, until).clear().collect()
    return pl.scan_parquet(added, hive_partitioning=True, missing_columns="insert").select(columns).collect()
