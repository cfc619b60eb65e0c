"""Delta tables through delta-rs: versions, transactions, rows, what changed; `lake.writing` and `lake.merging`
write them. Frames are Polars.
"""

from collections.abc import Sequence

import polars as pl
from deltalake import DeltaTable

from mlops_assets.lake import log
from mlops_assets.lake.current import current, recorded
from mlops_assets.lake.errors import LakeError
from mlops_assets.lake.foreign import exists, opened, still_there, table_rows
from mlops_assets.lake.merging import merge
from mlops_assets.lake.new_rows import appended_rows, polars_schema
from mlops_assets.lake.storable import normalised
from mlops_assets.lake.writing import Commit, Written, append, fitting, overwrite, replace

__all__ = [
    "Commit", "Written", "added", "append", "appended", "changes", "exists", "files", "fitting", "latest", "merge",
    "normalised", "overwrite", "replace", "required", "rows", "rows_of", "scan", "schema", "transaction_version",
    "vanished", "version",
]  # fmt: skip


def version(path: str) -> int | None:
    """The newest version, or None if there is no table."""
    table = current(path)
    return None if table is None else table.version()


def latest(path: str) -> int:
    """The newest version.

    Raises:
        LakeError: there is no table.
    """
    return int(required(path).version())


def required(path: str) -> DeltaTable:
    """The table at its newest version, for immediate use.

    Raises:
        LakeError: the table does not exist, or cannot be read.
    """
    table = current(path)
    if table is None:
        raise LakeError(f"there is no Delta table at {path}; materialize the asset that writes it first")
    return table


def transaction_version(path: str, name: str) -> int | None:
    """The newest version that the writer `name` recorded in the table's log."""
    table = current(path)
    return None if table is None else recorded(path, table, name)


def scan(path: str, at: int | None = None) -> pl.LazyFrame:
    """The table's rows at version `at`, or at its newest.

    Raises:
        LakeError: there is no table, or it has a feature that is not read here.
    """
    required(path)
    return table_rows(opened(path, at))


def schema(path: str, at: int | None = None) -> pl.Schema:
    """The table's columns and Polars types, from its log."""
    return polars_schema(required(path) if at is None else opened(path, at))


def rows(path: str, at: int | None = None) -> int:
    """The number of rows, from the log where it has statistics."""
    table = current(path) if at is None or not exists(path) else opened(path, at)
    return 0 if table is None else int(table.count())


def files(path: str) -> pl.DataFrame:
    """One row per file of the table, from its log alone: path, `partition.<column>`, `min.<column>`, `max.<column>`,
    num_records; empty if there is no table.
    """
    table = current(path)
    return pl.DataFrame() if table is None else pl.DataFrame(table.get_add_actions(flatten=True))


def rows_of(path: str, some: pl.DataFrame) -> pl.LazyFrame:
    """The rows of some of the table's `files`, in their order, without reading the others; for tables partitioned by
    string columns.
    """
    prefix = "partition."
    parts = some.select(pl.col(f"^{prefix}.*$").name.map(lambda name: name.removeprefix(prefix))).to_dicts()
    chosen = [
        log.Added(log.address(path, file), None, part, masked=False)
        for file, part in zip(some["path"], parts, strict=True)
    ]
    return appended_rows(required(path), chosen)


def changes(path: str, after: int | None, until: int | None = None, *, keys: Sequence[str] = ()) -> pl.DataFrame:
    """Rows inserted or updated after version `after` (None: all rows) up to `until` (None: now).

    A row that changed several times is returned each time, oldest first; with `keys`, only its newest form. The cost is
    that of the changed rows, not of the table.
    """
    newest = latest(path) if until is None else until
    if after is None:
        return scan(path, newest).collect()
    if after >= newest:
        return scan(path, newest).clear().collect()
    with still_there(path):
        wanted = _changed(path, after, newest)
    if keys:
        wanted = wanted.filter(pl.col("_commit_version") == pl.col("_commit_version").max().over(list(keys)))
    return normalised(wanted).select(list(schema(path, newest)))


def _changed(path: str, after: int, newest: int) -> pl.DataFrame:
    """The changed rows, each with its commit version."""
    done = log.commits(path, after, newest)
    if all(commit.appends for commit in done):
        return pl.concat(
            appended_rows(opened(path, newest), commit.added).collect().with_columns(_commit_version=commit.version)
            for commit in done
        )
    feed = _feed(path, after, newest)
    return feed.filter(pl.col("_change_type").is_in(["insert", "update_postimage"])).sort("_commit_version")


def _feed(path: str, after: int, until: int) -> pl.DataFrame:
    return pl.DataFrame(opened(path).load_cdf(starting_version=after + 1, ending_version=until))


def vanished(path: str, after: int, until: int, *, keys: Sequence[str]) -> pl.DataFrame:
    """The `keys` that had rows at version `after` or since, and have none at `until`."""
    if not rewritten(path, after, until):
        return pl.DataFrame(schema={key: schema(path, until)[key] for key in keys})
    with still_there(path):
        feed = normalised(_feed(path, after, until))
    last = feed.filter(pl.col("_commit_version") == pl.col("_commit_version").max().over(list(keys)))
    came = pl.col("_change_type").is_in(["insert", "update_postimage"])
    left = last.filter(~came).select(keys).unique().join(last.filter(came), on=list(keys), how="anti")
    # The feed alone rules out most keys of a merge; of a key with several rows, another row may have stayed.
    return left.lazy().join(scan(path, until).select(keys), on=list(keys), how="anti").collect() if len(left) else left


def rewritten(path: str, after: int, until: int) -> bool:
    """Whether rows were changed or replaced between two versions, or only added."""
    return after < until and not all(commit.appends for commit in log.commits(path, after, until))


def appended(path: str, after: int | None, until: int) -> pl.LazyFrame:
    """Rows of the files added to a table between two versions; needs no change data feed.

    Raises:
        LakeError: rows were updated or deleted in between, so that the files do not show which rows are new.
    """
    if after is None:
        return scan(path, until)
    return appended_rows(opened(path, until), added(path, after, until))


def added(path: str, after: int, until: int) -> list[log.Added]:
    """The data files that a table gained between two versions, oldest first.

    Raises:
        LakeError: rows were updated or deleted in between.
    """
    done = log.commits(path, after, until)
    for commit in done:
        if not commit.appends:
            raise LakeError(
                f"{path}: rows were changed or removed between versions {after} and {until} (in {commit.version}); "
                "an incremental source must only grow (ingest into a new destination)"
            )
    return [file for commit in done for file in commit.added]
