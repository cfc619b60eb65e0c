"""The engine of a machine without a JVM: Polars moves the rows, delta-rs writes the tables."""

from collections.abc import Sequence
from datetime import UTC, datetime

import polars as pl

from mlops_assets.lake import delta
from mlops_assets.lake.engine import Engine
from mlops_assets.lake.files import read_file
from mlops_assets.lake.prepare import prepare
from mlops_assets.lake.shape import without_duplicates


class PolarsEngine:
    """Frames are `polars.DataFrame`; other tables are lazy."""

    scan = staticmethod(delta.scan)
    read_file = staticmethod(read_file)
    changes = staticmethod(delta.changes)
    prepare = staticmethod(prepare)
    without_duplicates = staticmethod(without_duplicates)
    append = staticmethod(delta.append)
    overwrite = staticmethod(delta.overwrite)
    merge = staticmethod(delta.merge)

    def appended(self, path: str, after: int | None, until: int) -> pl.DataFrame:
        """Rows of the files that were added to a Delta table between two versions."""
        return delta.appended(path, after, until).collect()

    def keep(self, frame: pl.DataFrame) -> pl.DataFrame:
        """A frame is in memory already."""
        return frame

    def columns(self, frame: pl.DataFrame) -> list[str]:
        """The frame's columns, in order."""
        return frame.columns

    def stamped(self, frame: pl.DataFrame, source: str, left_out: Sequence[str]) -> pl.DataFrame:
        """The frame without some columns, with where and when its rows arrived."""
        return frame.drop(left_out).with_columns(
            pl.lit(source).alias("_source_file"),
            pl.lit(datetime.now(UTC)).dt.cast_time_unit("us").alias("_ingested_at"),
            pl.int_range(pl.len(), dtype=pl.Int64).alias("_row_id"),
        )


POLARS: Engine[pl.DataFrame] = PolarsEngine()
