"""The one Spark session of a test run: with the real Delta jars where Maven Central answers, and what there is else."""

from functools import cache
from typing import TYPE_CHECKING

from mlops_assets.config.platform import SparkConfig
from mlops_assets.lake.spark.session import open_session

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Tables of ten rows: compiling a query costs more than interpreting it, and a second partition more than none.
SMALL = {
    "spark.sql.shuffle.partitions": "1",
    "spark.databricks.delta.snapshotPartitions": "1",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.adaptive.enabled": "false",
    "spark.log.level": "ERROR",
}


@cache
def session() -> "SparkSession":
    return open_session(SparkConfig(master="local[2]", settings=SMALL))
