"""Writing Delta tables with delta-rs: appends and overwrites, each one commit that says what it was.

A writer identifies what it wrote by a `Transaction` in the same commit as the rows, so that a retry after a kill finds
in the table's log what was done. delta-rs records these identifiers but does not enforce them, so a writer also passes
those it has `seen`: if the table has others by now, another run was faster, and nothing is written (`Overtaken`).
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import polars as pl
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError
from filelock import FileLock
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from mlops_assets.lake import log
from mlops_assets.lake.current import current, recorded
from mlops_assets.lake.errors import Overtaken
from mlops_assets.lake.fitting import refuse_misfits
from mlops_assets.lake.foreign import exists, opened, refuse_to_write
from mlops_assets.lake.new_rows import polars_schema
from mlops_assets.lake.sql import name_in_sql, quoted
from mlops_assets.lake.streams import arrow_schema, as_write_error, folder, stream

FEED = "delta.enableChangeDataFeed"
# A log is read from its last checkpoint on: five commits at most, however old the table is.
CHECKPOINT = 5
CONFIGURATION = {FEED: "true", "delta.checkpointInterval": str(CHECKPOINT)}

on_conflict = retry(
    retry=retry_if_exception_type(CommitFailedError),
    wait=wait_random_exponential(multiplier=0.05, max=2),
    stop=stop_after_attempt(20),
    reraise=True,
)
Seen = Mapping[str, int | None]
Rows = pl.DataFrame | pl.LazyFrame


class Commit(TypedDict, total=False):
    """The options of a write: transactions to record, transactions seen before, the partition columns, and the
    properties of a table that the write creates.
    """

    transactions: Mapping[str, int]
    seen: Seen | None
    partition_by: Sequence[str]
    properties: Mapping[str, str]


@dataclass(frozen=True)
class Written:
    """The result of one write: the table's version after it, and the rows inserted, updated and deleted."""

    version: int
    inserted: int = 0
    updated: int = 0
    deleted: int = 0


def committed(transactions: Mapping[str, int]) -> CommitProperties:
    """The commit properties that record `transactions`."""
    return CommitProperties(app_transactions=[Transaction(name, number) for name, number in transactions.items()])


def after_commit(table: DeltaTable | None) -> PostCommitHookProperties:
    """The hooks after a commit: expired log entries are cleaned up with checkpoints only, since the cost grows with the
    log.
    """
    number = 0 if table is None else table.version() + 1
    return PostCommitHookProperties(cleanup_expired_logs=None if (number + 1) % CHECKPOINT == 0 else False)


def target(path: str, seen: Seen | None) -> DeltaTable | None:
    """The table at its newest version, None if there is none yet, so that checks and commit use the same version.

    Raises:
        Overtaken: its transactions are not those the writer has seen.
    """
    table = current(path)
    for name, number in (seen or {}).items():
        found = recorded(path, table, name) if table else None
        if found != number:
            raise Overtaken(f"{path}: another run has written '{name}' {found}; this one had seen {number}")
    if table:
        refuse_to_write(table, path)
    return table


def _created_once(
    path: str, frame: Rows, partition_by: Sequence[str], properties: Mapping[str, str]
) -> AbstractContextManager[object]:
    """Lets only one of several concurrent writers create a table, which delta-rs does not ensure: the others wait.

    An object store has no lock to wait for, so the table is created without rows there, and rows are then written as
    to an existing table.
    """
    if exists(path):
        return nullcontext()
    if "://" not in path:
        return FileLock(str(Path(folder(path)) / "_made.lock"))
    try:
        DeltaTable.create(
            path, arrow_schema(frame), partition_by=list(partition_by) or None, configuration=dict(properties)
        )
    except DeltaError:
        if not exists(path):
            raise
    return nullcontext()


@on_conflict
def append(
    path: str,
    frame: Rows,
    *,
    transactions: Mapping[str, int],
    seen: Seen | None = None,
    partition_by: Sequence[str] = (),
    add_columns: bool = False,
    properties: Mapping[str, str] = CONFIGURATION,
) -> Written:
    """Add the rows of `frame` and record `transactions` in the same commit; a lazy frame streams through memory."""
    with as_write_error(path) as failed, _created_once(path, frame, partition_by, properties):
        table = target(path, seen)
        fitting(path, frame, table)
        write_deltalake(
            table or folder(path),
            stream(frame, failed),
            mode="append",
            schema_mode="merge" if add_columns and table else None,
            partition_by=list(partition_by) or None,
            configuration=None if table else dict(properties),
            commit_properties=committed(transactions),
            post_commithook_properties=after_commit(table),
        )
    return _written(path, table)


@on_conflict
def overwrite(
    path: str,
    frame: Rows,
    *,
    transactions: Mapping[str, int],
    seen: Seen | None = None,
    partition_by: Sequence[str] = (),
    where: str | None = None,
    properties: Mapping[str, str] = CONFIGURATION,
) -> Written:
    """Replace the table's rows and columns by those of `frame`, or only the rows `where` a SQL condition holds; older
    versions stay readable.
    """
    with as_write_error(path) as failed, _created_once(path, frame, partition_by, properties):
        table = target(path, seen)
        where = where if table else None
        if where:
            fitting(path, frame, table)
        write_deltalake(
            table or folder(path),
            stream(frame, failed),
            mode="overwrite",
            schema_mode="overwrite" if where is None else "merge",
            predicate=where,
            partition_by=list(partition_by) or None,
            configuration=None if table else dict(properties),
            commit_properties=committed(transactions),
            post_commithook_properties=after_commit(table),
        )
    return _written(path, table)


def replace(
    path: str, frame: pl.DataFrame, *, partitions: Mapping[str, Sequence[str]], transactions: Mapping[str, int]
) -> Written:
    """Replace the partitions whose columns hold one of these texts by the rows of `frame`, which are of them."""
    where = " AND ".join(
        f"{name_in_sql(name)} IN ({', '.join(map(quoted, values))})" for name, values in partitions.items()
    )
    return overwrite(path, frame, transactions=transactions, partition_by=list(partitions), where=where)


def fitting(path: str, frame: Rows, table: DeltaTable | None = None) -> None:
    """Refuse columns whose values the table's columns cannot hold, if there is a table."""
    table = table or current(path)
    if table:
        refuse_misfits(path, frame.collect_schema(), polars_schema(table))


def _written(path: str, table: DeltaTable | None) -> Written:
    """The version and the number of inserted rows, from the log."""
    table = table or opened(path)
    number = table.version()
    [commit] = log.commits(path, number - 1, number)
    return Written(number, inserted=commit.inserted)
