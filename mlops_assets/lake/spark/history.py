"""A key's history with Spark; names and meaning as in `lake.history`."""

from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

from mlops_assets.config.data import HISTORY
from mlops_assets.lake import delta as tables
from mlops_assets.lake.history import CURRENT, FROM, GONE, TO, no_time, untracked
from mlops_assets.lake.spark import delta
from mlops_assets.lake.spark.transforms import INTERNAL, PLACE, ROW
from mlops_assets.lake.spark.types import quoted
from mlops_assets.lake.spark.writing import fitting
from mlops_assets.rules.spark_operations import functions

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from mlops_assets.config import DataConfig


def history(config: "DataConfig", rows: "DataFrame", silver: str) -> "DataFrame":
    """What a merge on the primary keys and `valid_from` must write for `rows`, which still say when they arrived
    (`transforms.ROW`, `PLACE`); of versions that are no more, `_gone` is true.

    Raises:
        LakeError: there is no column `sequence_by`, or it is no date or time.
    """
    f, keys = functions(), config.primary_keys
    seen = _dated(config, rows)
    if not tables.exists(silver):
        return _versions(keys, seen, untracked(config)).withColumn(GONE, f.lit(False))
    fitting(silver, rows)
    stored = delta.scan(seen.sparkSession, silver)
    known = stored.join(seen.select(*map(quoted, keys)).distinct(), on=keys, how="left_semi")
    every = known.drop(TO, CURRENT).unionByName(seen, allowMissingColumns=True)
    versions = _versions(keys, every, untracked(config))
    before = known.unionByName(versions.limit(0), allowMissingColumns=True).select(*map(quoted, versions.columns))
    changed = versions.subtract(before).withColumn(GONE, f.lit(False))
    gone = before.join(versions, on=[*keys, FROM], how="left_anti").withColumn(GONE, f.lit(True))
    return changed.unionByName(gone)


def _dated(config: "DataConfig", rows: "DataFrame") -> "DataFrame":
    column = config.sequence
    if column is None:
        return rows
    if column not in rows.columns or not rows.schema[column].dataType.simpleString().startswith(("date", "timestamp")):
        raise no_time(column)
    return rows.withColumn(FROM, quoted(column).cast("timestamp"))


def _versions(keys: Sequence[str], every: "DataFrame", not_tracked: set[str]) -> "DataFrame":
    """All that was observed, as versions: one an instant (the last to arrive), one a change, each until the next."""
    from pyspark.sql import Window

    f = functions()
    instants = Window.partitionBy(*map(quoted, [*keys, FROM]))
    last = f.row_number().over(instants.orderBy(f.col(ROW).desc_nulls_last(), f.col(PLACE).desc_nulls_last()))
    ordered = every.withColumn("__last", last).where("__last = 1").drop("__last", *INTERNAL)
    by_time = Window.partitionBy(*map(quoted, keys)).orderBy(FROM)
    tracked = [name for name in ordered.columns if name not in {*keys, *HISTORY, *not_tracked}]
    differs = [~quoted(name).eqNullSafe(f.lag(quoted(name)).over(by_time)) for name in tracked]
    changes = reduce(or_, differs, f.row_number().over(by_time) == 1)
    kept = ordered.withColumn("__change", changes).where("__change").drop("__change")
    return kept.withColumn(TO, f.lead(FROM).over(by_time)).withColumn(CURRENT, f.col(TO).isNull())
