"""Reading source files with Spark: the rows, and each row's place in its file."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa

from mlops_assets.lake import files
from mlops_assets.lake.delta import normalised
from mlops_assets.lake.errors import LakeError
from mlops_assets.lake.fitting import refuse_misfits
from mlops_assets.lake.sources import SourceFile
from mlops_assets.lake.spark.types import arrow_schema, polars_schema, quoted, spark_schema
from mlops_assets.rules.spark_operations import functions

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from mlops_assets.config import DataConfig

ROW_ID = "_row_id"


def read_file(session: "SparkSession", file: SourceFile, config: "DataConfig", known: pl.Schema | None) -> "DataFrame":
    """One source file's rows with their places from 0 as `_row_id`; parameters and errors as in `files.read_file`.

    The file lies where the workers see it under the same path.
    """
    if config.format == "parquet":
        return _parquet(session, file, config, known)
    return _text(session, file, config, known)


def _text(session: "SparkSession", file: SourceFile, config: "DataConfig", known: pl.Schema | None) -> "DataFrame":
    """The rows as the Polars engine's own reader parses them, in one task: text has no places to divide it at."""
    # Workers need no steps, whose salts are secrets.
    config = config.model_copy(update={"transformation_steps": []})
    head = normalised(files.read_file(file, config, known, files.INFERRED))
    schema = pl.Schema({**head.schema, ROW_ID: pl.Int64()})
    arrow = arrow_schema(schema)

    def rows(_: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        frame = normalised(files.read_file(file, config, known))
        numbered = frame.with_columns(pl.int_range(pl.len(), dtype=pl.Int64).alias(ROW_ID))
        table = numbered.to_arrow(compat_level=pl.CompatLevel.oldest())
        yield from table.cast(arrow).to_batches(max_chunksize=100_000)

    return session.range(1).coalesce(1).mapInArrow(rows, spark_schema(schema))


def _parquet(session: "SparkSession", file: SourceFile, config: "DataConfig", known: pl.Schema | None) -> "DataFrame":
    from pyspark.errors import PySparkException

    try:
        frame = session.read.parquet(str(file.path))
    except PySparkException as error:
        first = str(error).strip().splitlines()[0]
        raise LakeError(f"{file.address}: not readable as parquet: {first}") from error
    f = functions()
    stated = {name: value for name, value in file.folders.items() if name not in frame.columns}
    files.require_declared(file, config, [*frame.columns, *stated])
    refuse_misfits(file.address, polars_schema(frame), known or {})
    constants = [f.lit(value).cast("string").alias(name) for name, value in stated.items()]
    place = f.col("_metadata.row_index").alias(ROW_ID)
    return frame.select(*(quoted(name) for name in frame.columns), *constants, place)
