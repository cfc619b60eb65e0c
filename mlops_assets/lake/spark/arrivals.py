"""Bronze's rows, stretch by stretch, with Spark; names and meaning as in `lake.arrivals`."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mlops_assets.lake import delta as tables
from mlops_assets.lake.silver import GONE
from mlops_assets.lake.spark import delta
from mlops_assets.lake.spark.prepare import first_of_each
from mlops_assets.lake.spark.shape import shape
from mlops_assets.lake.spark.transforms import INTERNAL, alive
from mlops_assets.lake.spark.types import quoted
from mlops_assets.lake.stretches import PARTITION, Stretch
from mlops_assets.rules.spark_operations import functions

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from mlops_assets.config import DataConfig

IDENTITY = ["_source_file", "_row_id"]


def arrivals(session: "SparkSession", path: str, stretch: Stretch) -> "DataFrame":
    """A stretch's rows."""
    if stretch.corrects:
        return _feed(session, path, stretch, "insert")
    if stretch.skip or stretch.take is not None:
        return _part(session, path, stretch)
    after = stretch.start.version if stretch.start and stretch.start.version >= 0 else None
    rows = delta.changes(session, path, after, stretch.end.version)
    if stretch.parted:
        rows = rows.where(functions().col(PARTITION).eqNullSafe(functions().lit(stretch.partition)))
    return rows.drop(PARTITION)


def _part(session: "SparkSession", path: str, stretch: Stretch) -> "DataFrame":
    """Some rows of one version, which a run of the Polars engine left or took."""
    place, files = functions().col("_row_id"), stretch.files or ()
    rows = delta.of_files(delta.scan(session, path, stretch.end.version + (stretch.take is not None)), files)
    wanted = rows.where(place >= stretch.skip).drop(PARTITION)
    return wanted if stretch.take is None else wanted.where(place < stretch.skip + stretch.take)


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


def with_vanished(
    config: "DataConfig", frame: "DataFrame", bronze: str, quarantine: str, stretch: Stretch
) -> "DataFrame":
    """What a merge must write for the rows of a correcting stretch."""
    f, keys = functions(), config.primary_keys
    session, here = frame.sparkSession, frame.withColumn(GONE, f.lit(False))
    before = _shaped(config, _feed(session, bronze, stretch, "delete")).select(*map(quoted, keys)).distinct()
    vanished = before.join(frame, on=keys, how="left_anti")
    if vanished.isEmpty():
        return here
    went_on = without(session, delta.scan(session, bronze, stretch.end.version).drop(PARTITION), quarantine)
    every = _shaped(config, went_on).join(vanished, on=keys, how="left_semi")
    left = first_of_each(every, keys, [config.sequence] if config.sequence else [], "last").drop(*INTERNAL)
    nowhere = vanished.join(left, on=keys, how="left_anti").withColumn(GONE, f.lit(True))
    both = here.unionByName(left.withColumn(GONE, f.lit(None).cast("boolean")), allowMissingColumns=True)
    return both.unionByName(nowhere, allowMissingColumns=True)


def _shaped(config: "DataConfig", rows: "DataFrame") -> "DataFrame":
    return shape(config, rows, datetime.now(UTC)).where(alive())
