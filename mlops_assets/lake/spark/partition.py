"""Which of a document's partitions a row belongs to, with Spark; meaning as in `lake.partition`."""

from typing import TYPE_CHECKING

import polars as pl

from mlops_assets.lake.partition import partition_key
from mlops_assets.lake.spark.types import by_batch, polars_type
from mlops_assets.lake.stretches import PARTITION

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from mlops_assets.config import DataConfig


def parted(config: "DataConfig", frame: "DataFrame") -> "DataFrame":
    """The frame with `_partition`, the key of each row's partition; null where it belongs to none."""
    assert config.partitions is not None
    column = config.partitions.column
    dtype = polars_type(frame.schema[column].dataType)
    key = partition_key(config, pl.Schema({column: dtype}))
    return frame.withColumn(PARTITION, by_batch(column, dtype, key, "string"))
