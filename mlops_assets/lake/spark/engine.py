"""The engine behind the `lake` resource of a Spark platform."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property, reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from mlops_assets.config.platform import SparkConfig
from mlops_assets.lake.batch import Batch, Run
from mlops_assets.lake.shape import FAILED
from mlops_assets.lake.sources import SourceFile
from mlops_assets.lake.spark import delta, merging, writing
from mlops_assets.lake.spark.arrivals import arrivals, corrected, with_vanished, without
from mlops_assets.lake.spark.files import ROW_ID, read_file
from mlops_assets.lake.spark.history import history
from mlops_assets.lake.spark.partition import parted
from mlops_assets.lake.spark.prepare import prepare, without_duplicates
from mlops_assets.lake.spark.session import open_session
from mlops_assets.lake.stretches import Stretch
from mlops_assets.rules import Rule, RuleOutcome
from mlops_assets.rules.spark_operations import functions

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from mlops_assets.config import DataConfig


class SparkEngine:
    """Frames are `pyspark.sql.DataFrame`. No JVM starts before a step needs one."""

    rows_at_once: int | None = None

    def __init__(self, config: SparkConfig, session: "Callable[[SparkConfig], SparkSession]" = open_session) -> None:
        """The session is opened, or found, at the first use."""
        self._config, self._open = config, session
        self._kept: list[DataFrame] = []

    fitting = staticmethod(writing.fitting)
    append = staticmethod(writing.append)
    overwrite = staticmethod(writing.overwrite)
    merge = staticmethod(merging.merge)
    without_duplicates = staticmethod(without_duplicates)
    parted = staticmethod(parted)
    with_vanished = staticmethod(with_vanished)
    history = staticmethod(history)
    distinct = staticmethod(delta.distinct)

    @cached_property
    def session(self) -> "SparkSession":
        """The session that every frame belongs to."""
        return self._open(self._config)

    def scan(self, path: str, at: int | None = None) -> "DataFrame":
        """A table's rows at a version or now."""
        return delta.scan(self.session, path, at)

    def read_file(self, file: SourceFile, config: "DataConfig", known: pl.Schema | None) -> "DataFrame":
        """One source file's rows, and their places as `_row_id`."""
        return read_file(self.session, file, config, known)

    def appended(self, path: str, after: int | None, until: int) -> "DataFrame":
        """Rows that were added to a Delta table between two versions; their `_row_id` is unique, and has gaps."""
        rows = delta.appended(self.session, path, after, until)
        return rows.withColumn(ROW_ID, functions().monotonically_increasing_id())

    def columns(self, frame: "DataFrame") -> list[str]:
        """The columns of the source, in order."""
        return [name for name in frame.columns if name != ROW_ID]

    def stamped(self, frame: "DataFrame", source: str, left_out: Sequence[str]) -> "DataFrame":
        """The frame without some columns, with where and when its rows arrived."""
        f = functions()
        instant = f.timestamp_micros(f.lit(int(datetime.now(UTC).timestamp() * 1_000_000)))
        rows = frame.drop(ROW_ID, *left_out)
        return frame.select(*rows.columns, f.lit(source).alias("_source_file"), instant.alias("_ingested_at"), ROW_ID)

    def changes(
        self, path: str, after: int | None, until: int | None = None, *, keys: Sequence[str] = ()
    ) -> "DataFrame":
        """Rows inserted or updated between two versions."""
        self._release()
        return delta.changes(self.session, path, after, until, keys=keys)

    def vanished(self, path: str, after: int, until: int, *, keys: Sequence[str]) -> "DataFrame":
        """The keys that had rows at or since version `after`, and have none at `until`."""
        return delta.vanished(self.session, path, after, until, keys=keys)

    def arrivals(self, path: str, stretch: Stretch) -> "DataFrame":
        """A stretch's rows."""
        self._release()
        return arrivals(self.session, path, stretch)

    def corrected(self, path: str, stretch: Stretch) -> Sequence[str]:
        """The source files whose rows a correcting stretch takes the place of."""
        return corrected(self.session, path, stretch)

    def without(self, frame: "DataFrame", path: str) -> "DataFrame":
        """The rows of a frame that are not in the table at `path`."""
        return without(self.session, frame, path)

    def table_outcomes(
        self,
        config: "DataConfig",
        parts: Iterable["DataFrame"],
        run: Run,
        others: Mapping[str, Any],
        rules: Sequence[Rule],
    ) -> Sequence[RuleOutcome]:
        """Table-level rules over all rows of `parts` together."""
        return self.prepare(
            config, reduce(lambda one, other: one.unionByName(other), parts), run, others, rules
        ).outcomes

    def count(self, frame: "DataFrame") -> int:
        """The number of rows."""
        return int(frame.count())

    def prepare(
        self,
        config: "DataConfig",
        bronze: "DataFrame",
        run: Run,
        others: Mapping[str, Any],
        rules: Sequence[Rule] | None = None,
    ) -> Batch["DataFrame"]:
        """Bronze rows shaped and validated."""
        with writing.as_write_error(config.destination_path):
            return prepare(config, bronze, run, others, rules, self.keep)

    def put_aside(self, frame: "DataFrame", file: Path) -> "DataFrame":
        """The frame itself, since Spark evaluates it lazily."""
        return frame

    def back(self, frame: "DataFrame") -> "DataFrame":
        """The frame."""
        return frame

    def together(self, frames: Sequence["DataFrame"]) -> "DataFrame":
        """The rows of all frames."""
        return reduce(lambda one, other: one.unionByName(other), frames)

    def broken(self, bad: "DataFrame") -> Mapping[str, int]:
        """Rows by the rules that they break."""
        from pyspark.sql import functions

        counted = bad.select(functions.explode(FAILED).alias(FAILED)).groupBy(FAILED).count()
        return dict(map(tuple, counted.collect()))

    def keep(self, frame: "DataFrame") -> "DataFrame":
        """The frame, persisted on the workers when first evaluated."""
        self._kept.append(frame.persist())
        return frame

    def _release(self) -> None:
        """Unpersist the frames of earlier rows."""
        while self._kept:
            self._kept.pop().unpersist()
