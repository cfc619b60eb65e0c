"""The engine of a machine without a JVM: Polars moves the rows, delta-rs writes the tables."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from mlops_assets.lake import delta
from mlops_assets.lake.arrivals import arrivals, corrected, with_vanished, without
from mlops_assets.lake.engine import Engine
from mlops_assets.lake.files import scan_file
from mlops_assets.lake.history import history
from mlops_assets.lake.partition import partition_key
from mlops_assets.lake.prepare import prepare, table_outcomes
from mlops_assets.lake.shape import FAILED, without_duplicates
from mlops_assets.lake.stretches import PARTITION

if TYPE_CHECKING:
    from mlops_assets.config import DataConfig

Frame = pl.DataFrame | pl.LazyFrame


class PolarsEngine:
    """Frames are Polars'; those that only pass through are lazy, and stream from the source into the table."""

    rows_at_once: int | None = 2 * 1024 * 1024  # two row groups of a data file, which are read once each

    scan = staticmethod(delta.scan)
    read_file = staticmethod(scan_file)
    appended = staticmethod(delta.appended)
    changes = staticmethod(delta.changes)
    vanished = staticmethod(delta.vanished)
    arrivals = staticmethod(arrivals)
    corrected = staticmethod(corrected)
    without = staticmethod(without)
    with_vanished = staticmethod(with_vanished)
    history = staticmethod(history)
    table_outcomes = staticmethod(table_outcomes)
    prepare = staticmethod(prepare)
    without_duplicates = staticmethod(without_duplicates)
    fitting = staticmethod(delta.fitting)
    append = staticmethod(delta.append)
    overwrite = staticmethod(delta.overwrite)
    merge = staticmethod(delta.merge)

    def keep(self, frame: pl.DataFrame) -> pl.DataFrame:
        """A frame is in memory already."""
        return frame

    def put_aside(self, frame: pl.DataFrame, file: Path) -> pl.LazyFrame:
        """The frame in a file of its own."""
        frame.write_ipc(file)
        return pl.scan_ipc(file)

    def back(self, frame: pl.LazyFrame) -> pl.DataFrame:
        """The frame in memory."""
        return frame.collect()

    def together(self, frames: Sequence[pl.LazyFrame]) -> pl.LazyFrame:
        """Frames that were put aside, one after another."""
        return pl.concat(frames, how="diagonal_relaxed")

    def broken(self, bad: Frame) -> Mapping[str, int]:
        """Rows by the rules that they break."""
        counted = bad.lazy().select(pl.col(FAILED).explode()).group_by(FAILED).len().collect()
        return dict(counted.iter_rows())

    def columns(self, frame: Frame) -> list[str]:
        """The frame's columns, in order."""
        return frame.collect_schema().names()

    def stamped(self, frame: Frame, source: str, left_out: Sequence[str]) -> Frame:
        """The frame without some columns, with where and when its rows arrived."""
        return (
            frame.lazy()
            .drop(left_out)
            .with_row_index("_row_id")
            .select(
                pl.exclude("_row_id"),
                pl.lit(source).alias("_source_file"),
                pl.lit(datetime.now(UTC)).dt.cast_time_unit("us").alias("_ingested_at"),
                pl.col("_row_id").cast(pl.Int64),
            )
        )

    def parted(self, config: "DataConfig", frame: Frame) -> Frame:
        """The frame with each row's partition."""
        return frame.with_columns(partition_key(config, frame.collect_schema()).alias(PARTITION))

    def distinct(self, frame: Frame, columns: Sequence[str]) -> list[dict[str, Any]]:
        """The values that rows have in some columns, each once."""
        return frame.lazy().select(columns).unique(maintain_order=True).collect().to_dicts()

    def count(self, frame: pl.DataFrame) -> int:
        """The number of rows."""
        return frame.height


POLARS: Engine[Any] = PolarsEngine()
