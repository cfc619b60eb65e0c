"""Merges on key with delta-rs.

A merge rewrites every data file that contains one of its keys, and writes inserted rows into the same files. A table
whose new rows have ever greater keys would become a single, growing file. If that costs much, the rows whose keys are
greater than all of the table's are merged separately, after the others, into a file of their own.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl
from deltalake import DeltaTable

from mlops_assets.lake.current import current
from mlops_assets.lake.new_rows import polars_schema
from mlops_assets.lake.sql import name_in_sql
from mlops_assets.lake.storable import normalised
from mlops_assets.lake.streams import as_write_error
from mlops_assets.lake.writing import (
    CONFIGURATION,
    Seen,
    Written,
    after_commit,
    append,
    committed,
    fitting,
    on_conflict,
    target,
)

# Rows that a merge may rewrite per arriving row, and a number that is always cheap enough.
TIMES, ALWAYS = 16, 16_384


def merge(
    path: str,
    frame: pl.DataFrame,
    *,
    keys: Sequence[str],
    transactions: Mapping[str, int],
    seen: Seen | None = None,
    partition_by: Sequence[str] = (),
    newer: str | None = None,
    gone: str | None = None,
    properties: Mapping[str, str] = CONFIGURATION,
) -> Written:
    """Update the rows whose `keys` are in the table, insert the others.

    `frame` has each key once, and no null key. Columns that only one of the two has are null in the other's rows.

    With `newer`, a row is only updated if the SQL condition on `source` and `target` holds. `gone` names a column of
    `frame` that is not written: rows in which it is true delete the table's. If two commits are needed, the last
    records the transactions; a run repeated after the first writes the same rows again.
    """
    wide = _widened(path, frame.drop(gone) if gone else frame)
    table = target(path, seen)
    if table is None:
        kept = frame.filter(~pl.col(gone).fill_null(False)).drop(gone) if gone else frame
        return append(
            path, kept, transactions=transactions, seen=seen, partition_by=partition_by, properties=properties
        )
    rows = wide.with_columns(frame[gone]) if gone else wide
    # Ending one version of a key and beginning the next must be one commit.
    *before, last = [rows] if gone else in_parts(table, normalised(rows), keys)
    done = [_merged(path, part, keys, {}, seen, newer, gone) for part in before]
    return _sum_of([*done, _merged(path, last, keys, transactions, seen, newer, gone)])


@on_conflict
def _merged(
    path: str,
    rows: pl.DataFrame,
    keys: Sequence[str],
    transactions: Mapping[str, int],
    seen: Seen | None,
    newer: str | None,
    gone: str | None,
) -> Written:
    """One commit."""
    table = target(path, seen)
    assert table is not None
    leaves = f"coalesce(source.{name_in_sql(gone)}, false)" if gone else ""
    columns = [name_in_sql(name) for name in rows.columns if name != gone]
    values = {name: f"source.{name}" for name in columns}
    with as_write_error(path):
        merger = table.merge(
            normalised(rows),
            " AND ".join(f"target.{key} = source.{key}" for key in map(name_in_sql, keys)),
            source_alias="source",
            target_alias="target",
            # With the frame in memory, the bounds of its keys let delta-rs skip files.
            streamed_exec=False,
            commit_properties=committed(transactions),
            post_commithook_properties=after_commit(table),
        )
        if gone:
            merger = merger.when_matched_delete(leaves)
        merger = merger.when_matched_update(values, predicate=newer)
        return _counted(table, merger.when_not_matched_insert(values, f"NOT {leaves}" if gone else None).execute())


def _counted(table: DeltaTable, done: Mapping[str, Any]) -> Written:
    counts = (int(done[f"num_target_rows_{what}"]) for what in ("inserted", "updated", "deleted"))
    return Written(table.version(), *counts)


def _sum_of(done: Sequence[Written]) -> Written:
    counts = (sum(getattr(each, what) for each in done) for what in ("inserted", "updated", "deleted"))
    return Written(done[-1].version, *counts)


def in_parts(table: DeltaTable, rows: pl.DataFrame, keys: Sequence[str]) -> list[pl.DataFrame]:
    """The rows of a merge; if it would rewrite many rows, those beyond the table's keys are a second part.

    Only the file statistics in the log decide this; a merge of either part is correct by itself.
    """
    files = pl.DataFrame(table.get_add_actions(flatten=True))
    beyond, key = max(_beyond(files, rows, keys), default=(0, ""))
    if not 2 * beyond >= rows.height > beyond:
        return [rows]
    is_new = pl.col(key) > files[f"max.{key}"].max()
    old = rows.filter(~is_new)
    touched = files.filter(pl.col(f"max.{key}") >= old[key].min(), pl.col(f"min.{key}") <= old[key].max())
    if touched["num_records"].sum() <= max(TIMES * rows.height, ALWAYS):
        return [rows]
    return [old, rows.filter(is_new)]


def _beyond(files: pl.DataFrame, rows: pl.DataFrame, keys: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Per key column with bounds for every file, the number of rows greater than all of the table's."""
    for key in keys:
        low, high = (files.get_column(f"{end}.{key}", default=None) for end in ("min", "max"))
        if files.is_empty() or low is None or high is None or low.null_count() + high.null_count():
            continue
        if low.dtype == high.dtype == rows.schema[key] != pl.Boolean:
            yield int((rows[key] > high.max()).sum()), key


def _widened(path: str, frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with every column of the table, after adding the frame's new columns to the table."""
    table = current(path)
    if table is None:
        return frame
    known = polars_schema(table)
    fitting(path, frame, table)
    if any(name not in known for name in frame.columns):
        # A separate commit: new columns without values change no row, so a kill after it loses nothing.
        append(path, frame.clear(), transactions={}, add_columns=True)
    return frame.with_columns(
        pl.lit(None, dtype).alias(name) for name, dtype in known.items() if name not in frame.columns
    )
