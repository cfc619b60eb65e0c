"""The one Spark session of a test run: with the Delta jars where Maven Central answers, and without them elsewhere."""

from functools import cache
from typing import TYPE_CHECKING

import pytest

from mlops_assets.config.platform import SparkConfig
from mlops_assets.lake.spark.session import LOCAL, QUERIES, delta_jars, open_session

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Tables of ten rows: compiling a query costs more than interpreting it, and a second partition more than none.
SMALL = {
    "spark.sql.shuffle.partitions": "1",
    "spark.databricks.delta.snapshotPartitions": "1",
    "spark.sql.codegen.wholeStage": "false",
    "spark.default.parallelism": "1",
    "spark.sql.files.minPartitionNum": "1",
    "spark.sql.adaptive.enabled": "false",
    "spark.log.level": "ERROR",
}
# Generated classes of one test's few rows are no other test's: a test of tables takes half the time without.
EXPRESSIONS, COMPILED, INTERPRETED = "spark.sql.codegen.factoryMode", "FALLBACK", "NO_CODEGEN"


@cache
def opened() -> "tuple[SparkSession, bool]":
    """The session, and whether it has Delta: `spark-submit` ends at once where it cannot resolve the jars."""
    from pyspark.errors import PySparkRuntimeError
    from pyspark.sql import SparkSession

    try:
        return open_session(SparkConfig(master="local[2]", settings=SMALL)), True
    except PySparkRuntimeError:
        plain = SparkSession.builder.master("local[2]").config(map={**QUERIES, **LOCAL, **SMALL})
        return plain.getOrCreate(), False


def session() -> "SparkSession":
    """Spark, for tests that read no table; expressions are compiled."""
    return _with_expressions(COMPILED)


def delta_session(expressions: str = INTERPRETED) -> "SparkSession":
    """Spark with Delta; the test is skipped, by name of the jars, where they are not to be had."""
    if not opened()[1]:
        pytest.skip(f"Maven Central does not give {delta_jars()}")
    return _with_expressions(expressions)


def _with_expressions(mode: str) -> "SparkSession":
    found = opened()[0]
    found.conf.set(EXPRESSIONS, mode)
    return found
