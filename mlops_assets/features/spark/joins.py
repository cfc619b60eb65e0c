"""Point-in-time joins on Spark: a lookup is a left join, an as-of join one window over both tables' rows."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlops_assets.config.features import Join
from mlops_assets.features.joins import join_keys, repeated_keys_error
from mlops_assets.lake.spark.types import quoted
from mlops_assets.rules.spark_operations import Expr, functions

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_LEFT, _RIGHT, _TIME = "__left", "__right", "__time"


def join_tables(frame: "DataFrame", joins: Sequence[Join], tables: Mapping[str, Any], *, time: str) -> "DataFrame":
    """`frame` with the columns of each join; meaning as in `features.joins`, whose checks of columns have been made.

    Of several rows of one instant, the one with the greatest values counts: a Spark table has no order of its own.
    """
    for position, join in enumerate(joins):
        where = f"joins[{position}] ({join.table})"
        frame = _joined(frame, tables[join.table], join, time, where)
    return frame


def _joined(left: "DataFrame", right: "DataFrame", join: Join, time: str, where: str) -> "DataFrame":
    f = functions()
    left_keys, right_keys = join_keys(join)
    known = right.dropna(subset=[*right_keys, *([join.as_of] if join.as_of else [])])
    taken = join.columns or [
        name for name in right.columns if name not in (*right_keys, join.as_of) and not name.startswith("_")
    ]
    values = [quoted(name).alias(join.prefix + join.rename.get(name, name)) for name in taken]
    keys = [
        quoted(key).cast(left.schema[own].dataType).alias(own) for own, key in zip(left_keys, right_keys, strict=True)
    ]
    if not join.as_of:
        _require_key(known, right_keys, where)
        return left.join(known.select(*keys, *values), on=left_keys, how="left")
    moment = join.left_time or time
    instant = quoted(join.as_of).cast(left.schema[moment].dataType)
    past = known.select(*keys, instant.alias(moment), f.struct(instant.alias(_TIME), *values).alias(_RIGHT))
    return _as_of(left, past, left_keys, moment, join)


def _as_of(left: "DataFrame", past: "DataFrame", keys: Sequence[str], moment: str, join: Join) -> "DataFrame":
    """Each left row with the newest right one before it, in the order of time over the rows of both."""
    from pyspark.sql import Window

    f = functions()
    both = left.withColumn(_LEFT, f.lit(True)).unionByName(past, allowMissingColumns=True)
    # Of one instant, the right rows come first where they count, last where they do not.
    tie = f.col(_LEFT).asc_nulls_first() if join.allow_exact else f.col(_LEFT).asc_nulls_last()
    by_time = Window.partitionBy(*map(quoted, keys)).orderBy(quoted(moment).asc_nulls_first(), tie)
    before = by_time.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    found = both.withColumn(_RIGHT, f.max(_RIGHT).over(before)).where(f.col(_LEFT))
    joined = found.withColumn(_RIGHT, f.when(_young_enough(moment, join), f.col(_RIGHT)))
    names = [name for name in past.select(f"{_RIGHT}.*").columns if name != _TIME]
    return joined.withColumns({name: f.col(_RIGHT).getField(name) for name in names}).drop(_LEFT, _RIGHT)


def _young_enough(moment: str, join: Join) -> Expr:
    if join.tolerance is None:
        return functions().lit(True)
    age = microseconds(quoted(moment)) - microseconds(functions().col(_RIGHT).getField(_TIME))
    return age <= round(join.tolerance.total_seconds() * 1_000_000)


def microseconds(moment: Expr) -> Expr:
    """A date or an instant as microseconds in UTC, in which every day has 24 hours."""
    return functions().unix_micros(moment.cast("timestamp"))


def _require_key(right: "DataFrame", keys: Sequence[str], where: str) -> None:
    f = functions()
    twice = right.groupBy(*map(quoted, keys)).count().where(f.col("count") > 1)
    found = twice.orderBy(*map(quoted, keys)).limit(1).collect()
    if found:
        raise repeated_keys_error(where, twice.count(), {key: found[0][key] for key in keys})
