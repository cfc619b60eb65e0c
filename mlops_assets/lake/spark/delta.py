"""Delta tables through Spark: rows, and what changed; names and meaning as in `lake.delta`. `spark.writing` and
`spark.merging` write them.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from mlops_assets.lake import delta, log
from mlops_assets.lake.spark.types import quoted
from mlops_assets.rules.spark_operations import functions

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def scan(session: "SparkSession", path: str, at: int | None = None) -> "DataFrame":
    """The table's rows, at a version or now; raises LakeError where there is no table."""
    newest = delta.latest(path)
    return session.read.format("delta").option("versionAsOf", newest if at is None else at).load(path)


def changes(
    session: "SparkSession", path: str, after: int | None, until: int | None = None, *, keys: Sequence[str] = ()
) -> "DataFrame":
    """Rows inserted or updated between two versions; of those with the same `keys` the newest form only.

    Where rows were only added, they are read from their files; the table's change feed is read otherwise.
    """
    newest = delta.latest(path) if until is None else until
    if after is None:
        return scan(session, path, newest)
    if after >= newest:
        return scan(session, path, newest).limit(0)
    if not keys and all(commit.appends for commit in log.commits(path, after, newest)):
        return appended(session, path, after, newest)
    rows = _feed(session, path, after, newest, "insert", "update_postimage")
    if keys:
        rows = _newest(rows, keys)
    return rows.select(*(quoted(name) for name in delta.schema(path, newest)))


def vanished(session: "SparkSession", path: str, after: int, until: int, *, keys: Sequence[str]) -> "DataFrame":
    """The `keys` that had rows at version `after` or since, and have none at `until`."""
    names, there = [quoted(key) for key in keys], scan(session, path, until)
    if not delta.rewritten(path, after, until):
        return there.select(*names).limit(0)
    left = _feed(session, path, after, until, "delete", "update_preimage").select(*names).distinct()
    return left.join(there.select(*names), on=list(keys), how="left_anti")


def _feed(session: "SparkSession", path: str, after: int, until: int, *kinds: str) -> "DataFrame":
    """The rows of some kinds of change, from the table's change feed."""
    feed = session.read.format("delta").option("readChangeFeed", "true")
    rows = feed.option("startingVersion", after + 1).option("endingVersion", until).load(path)
    return rows.where(functions().col("_change_type").isin(*kinds))


def _newest(rows: "DataFrame", keys: Sequence[str]) -> "DataFrame":
    from pyspark.sql import Window

    last = functions().max("_commit_version").over(Window.partitionBy(*(quoted(key) for key in keys)))
    return rows.withColumn("__last", last).where("_commit_version = __last")


def appended(session: "SparkSession", path: str, after: int | None, until: int) -> "DataFrame":
    """Rows of the files that were added between two versions; raises LakeError where rows were changed in between."""
    rows = scan(session, path, until)
    if after is None:
        return rows
    return of_files(rows, delta.added(path, after, until))


def of_files(rows: "DataFrame", files: Sequence[log.Added]) -> "DataFrame":
    """The rows of a table that are in some of its data files."""
    names = [file.address.rsplit("/", 1)[-1] for file in files]
    return rows.where(functions().col("_metadata.file_name").isin(names))


def distinct(frame: "DataFrame", columns: Sequence[str]) -> list[dict[str, Any]]:
    """The values that rows have in some columns, each once."""
    # Through Arrow, where instants keep their zone: a collected row has them as this machine's clock shows them.
    return pl.DataFrame(frame.select(*map(quoted, columns)).distinct().toArrow()).to_dicts()
