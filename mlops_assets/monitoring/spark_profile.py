"""Profiles of rows that Spark holds: each worker counts its own rows into the reference's bins, as `profile` does, and
only the counts come to the driver.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import polars as pl

from mlops_assets.lake.spark.types import arrow_schema, polars_schema, quoted, spark_schema
from mlops_assets.monitoring.profile import FRAME_SCHEMA, from_frame, merge_profiles, summarise, to_frame
from mlops_assets.monitoring.summary import Profile, Reference

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

PART = "part"


def summarise_on_spark(frame: "DataFrame", reference: Reference) -> Profile:
    """The profile that `profile.summarise` makes of the same rows: equal counts and extremes, and sums that differ by
    no more than the order of adding them up.

    ValueError for a column that is not there or is no longer of its reference's type.
    """
    known = polars_schema(frame)
    # Refuses what does not fit before any worker starts; and it is the answer where there are no rows.
    nothing = summarise(pl.DataFrame(schema=known), reference)
    columns = list(reference.bins)
    types = pl.Schema({name: known[name] for name in columns})
    stored = pl.Schema({**FRAME_SCHEMA, PART: pl.Int32()})
    arrow = arrow_schema(stored)

    def counted(batches: Iterator[Any]) -> Iterator[Any]:
        from pyspark import TaskContext

        rows = (pl.DataFrame(pl.from_arrow(batch)).cast(types) for batch in batches)
        profiles = [summarise(each, reference) for each in rows]
        if profiles:
            task = TaskContext.get()
            part = pl.lit(task.partitionId() if task else 0, pl.Int32).alias(PART)
            found = to_frame(merge_profiles(profiles)).with_columns(part)
            yield from found.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(arrow).to_batches()

    parts = frame.select(*map(quoted, columns)).mapInArrow(counted, spark_schema(stored)).toArrow()
    by_part = pl.DataFrame(pl.from_arrow(parts)).partition_by(PART, include_key=False)
    return merge_profiles([nothing, *(from_frame(each.cast(FRAME_SCHEMA)) for each in by_part)])
