"""Bronze rows in silver's shape on Spark, lazily: every row stays, and says whether it is still on its way."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from mlops_assets.lake.batch import ADDED_COLUMNS
from mlops_assets.lake.shape import require_declared, wanted_types
from mlops_assets.lake.spark.transforms import GONE, LOST, PLACE, ROW, alive, transform
from mlops_assets.lake.spark.types import SPARK_TYPES, quoted, typed
from mlops_assets.rules.spark_operations import functions

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from mlops_assets.config import DataConfig

ARRIVAL = ("_ingested_at", "_source_file", "_row_id")  # the order in which rows arrived, and what tells them apart


def shape(config: "DataConfig", bronze: "DataFrame", as_of: datetime) -> "DataFrame":
    """The rows after their declared types and every step but `deduplicate`, which comes after the rules.

    Beside silver's columns each has those of `transforms.INTERNAL`; `LOST` lists what could not be read, such as
    `arr_delay_is_int`.
    """
    frame = _typed(config, _numbered(config, bronze))
    exploded = False
    for step in config.transformation_steps:
        if step.type == "deduplicate":
            continue
        if step.type in ("cast", "parse_date"):
            was = _remembered(frame, wanted_types(step))
            frame = _marked(transform(was, step, as_of), wanted_types(step), exploded=exploded)
        else:
            frame = transform(frame, step, as_of)
        exploded = exploded or step.type == "explode"
    return frame


def explodes(config: "DataConfig") -> bool:
    """Whether a bronze row may become several."""
    return any(step.type == "explode" for step in config.transformation_steps)


def _numbered(config: "DataConfig", bronze: "DataFrame") -> "DataFrame":
    f = functions()
    kept = [quoted(own).alias(name) for own, name in config.arrival_columns.items()]
    source = [quoted(name) for name in bronze.columns if name not in ADDED_COLUMNS]
    return bronze.select(
        *source,
        *kept,
        f.struct(*ARRIVAL).alias(ROW),
        f.array().cast("array<int>").alias(PLACE),
        f.lit(None).cast("array<string>").alias(LOST),
        f.lit(None).cast("string").alias(GONE),
    )


def _typed(config: "DataConfig", frame: "DataFrame") -> "DataFrame":
    require_declared(config, frame.columns)
    formats = {"date": config.reader.date_format, "datetime": config.reader.datetime_format}
    types = {name: frame.schema[name].dataType for name in config.columns}
    wanted = {name: kind for name, kind in config.columns.items() if types[name].simpleString() != SPARK_TYPES[kind]}
    read = {name: typed(name, types[name], kind, formats.get(kind)) for name, kind in wanted.items()}
    return _marked(_remembered(frame, wanted).withColumns(read), wanted, exploded=False) if wanted else frame


def _remembered(frame: "DataFrame", wanted: Mapping[str, str]) -> "DataFrame":
    return frame.withColumns({_was(name): quoted(name) for name in wanted})


def _was(name: str) -> str:
    return f"__was {name}"


def _marked(frame: "DataFrame", wanted: Mapping[str, str], *, exploded: bool) -> "DataFrame":
    """The frame with the values named that were there and are not now: they are not of the type `wanted`."""
    from pyspark.sql import Window

    f = functions()
    broken = [
        f.when(quoted(_was(name)).isNotNull() & quoted(name).isNull(), f.lit(f"{name}_is_{kind}"))
        for name, kind in wanted.items()
    ]
    names = f.filter(f.array(*broken), lambda name: name.isNotNull())
    lost = f.when(alive() & (f.size(names) > 0), names).otherwise(f.col(LOST))
    marked = frame.withColumn(LOST, lost).drop(*(_was(name) for name in wanted))
    if not exploded:
        return marked
    # Values lost in one part of a row count for all its parts: the entire row is quarantined.
    together = f.array_distinct(f.flatten(f.collect_list(LOST).over(Window.partitionBy(ROW))))
    return marked.withColumn(LOST, f.when(f.size(together) > 0, together))
