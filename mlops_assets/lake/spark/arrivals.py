"""Bronze's rows, stretch by stretch, with Spark; names and meaning as in `lake.arrivals`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlops_assets.lake import delta as tables
from mlops_assets.lake.errors import LakeError
from mlops_assets.lake.spark import delta
from mlops_assets.lake.spark.types import quoted
from mlops_assets.lake.stretches import PARTITION, Stretch
from mlops_assets.rules.spark_operations import functions

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

IDENTITY = ["_source_file", "_row_id"]


def arrivals(session: "SparkSession", path: str, stretch: Stretch) -> "DataFrame":
    """A stretch's rows."""
    if stretch.corrects:
        return _feed(session, path, stretch, "insert")
    if stretch.skip or stretch.take is not None:
        raise LakeError(f"{path}: a run of the embedded platform is in the middle of a version; let it finish first")
    after = stretch.start.version if stretch.start and stretch.start.version >= 0 else None
    rows = delta.changes(session, path, after, stretch.end.version)
    if stretch.parted:
        rows = rows.where(functions().col(PARTITION).eqNullSafe(functions().lit(stretch.partition)))
    return rows.drop(PARTITION)


def _feed(session: "SparkSession", path: str, stretch: Stretch, kind: str) -> "DataFrame":
    number = stretch.end.version
    feed = session.read.format("delta").option("readChangeFeed", "true")
    rows = feed.option("startingVersion", number).option("endingVersion", number).load(path)
    wanted = rows.where(functions().col("_change_type") == kind)
    return wanted.select(*(quoted(name) for name in tables.schema(path, number))).drop(PARTITION)


def corrected(session: "SparkSession", path: str, stretch: Stretch) -> Sequence[str]:
    """The source files whose rows a correcting stretch takes the place of."""
    parts = [_feed(session, path, stretch, kind).select("_source_file") for kind in ("delete", "insert")]
    return sorted(row[0] for row in parts[0].union(parts[1]).distinct().collect())


def without(session: "SparkSession", frame: "DataFrame", path: str) -> "DataFrame":
    """The rows of a frame that are not in the table at `path`, by `_source_file` and `_row_id`."""
    if not tables.exists(path):
        return frame
    return frame.join(delta.scan(session, path).select(*IDENTITY), on=IDENTITY, how="left_anti").select(*frame.columns)
