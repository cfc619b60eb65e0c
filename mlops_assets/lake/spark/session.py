"""The Spark session of a platform document, opened when a step first needs it."""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_assets.config.platform import SparkConfig
from mlops_assets.lake.errors import LakeError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DELTA: Mapping[str, str] = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
}
# Times are read in UTC; a hundred rules in one query would otherwise make a method that no JIT compiles.
QUERIES: Mapping[str, str] = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.codegen.hugeMethodLimit": "8000",
}
# What is right for a thousand cores makes a laptop start two hundred tasks for a hundred rows.
LOCAL: Mapping[str, str] = {
    "spark.sql.shuffle.partitions": "4",
    "spark.databricks.delta.snapshotPartitions": "2",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
}


def open_session(config: SparkConfig) -> "SparkSession":
    """The session that the document asks for, or the one that this process has already.

    A classic session brings the Delta jars that fit the installed packages; a Connect server has its own.

    Raises:
        LakeError: a classic session is asked for, and this machine has no Java.
    """
    from pyspark.sql import SparkSession

    builder: Any = SparkSession.builder.appName(config.app_name)
    found: SparkSession
    if config.remote:
        found = builder.remote(config.remote).getOrCreate()
        for name, value in {**QUERIES, **config.settings}.items():
            found.conf.set(name, value)
    else:
        _require_java()
        # This Python unless configured: workers on this machine would use another.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        for name, value in settings_of(config).items():
            builder = builder.config(name, value)
        found = builder.master(config.master).getOrCreate()
    return found


def _require_java() -> None:
    home = os.environ.get("JAVA_HOME")
    if shutil.which("java", path=str(Path(home, "bin")) if home else None) is None:
        where = f"in JAVA_HOME, {home}" if home else "on this machine"
        raise LakeError(
            f"there is no java {where}, and Spark needs one: install Java 17, name a Spark Connect server in "
            "configs/platforms/spark.yaml (spark.remote), or set MLOPS_PLATFORM=embedded, which needs neither"
        )


def settings_of(config: SparkConfig) -> dict[str, str]:
    """The settings of a classic session; the document's own come last."""
    local = LOCAL if config.master.startswith("local") else {}
    jars = {} if {"spark.jars", "spark.jars.packages"} & set(config.settings) else {"spark.jars.packages": delta_jars()}
    return {**DELTA, **QUERIES, **local, **jars, **config.settings}


def delta_jars() -> str:
    """Maven's name for the jars of the installed delta-spark on the installed Spark."""
    from importlib.metadata import version

    spark = ".".join(version("pyspark").split(".")[:2])
    return f"io.delta:delta-spark_{spark}_2.13:{version('delta-spark')}"
