"""Windowed aggregates on Spark, closed on the left; the meaning is that of `features.aggregates`."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from mlops_assets.config.features import Aggregate, FeatureConfig
from mlops_assets.features.spark.joins import microseconds
from mlops_assets.lake.spark.types import quoted
from mlops_assets.rules.spark_operations import Expr, functions

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.window import WindowSpec

_TIME, _VALUE, _LAST = "__time", "__value", "__last"


def with_aggregates(rows: "DataFrame", history: "DataFrame", config: FeatureConfig) -> "DataFrame":
    """`rows` with a column per aggregate, function and window over the `history`, those of `rows` among them."""
    for aggregate in config.aggregates:
        by = config.grouped_by(aggregate)
        for window in aggregate.windows:
            rows = _with_window(rows, history, aggregate, by, window, config)
    return rows


def _with_window(
    rows: "DataFrame",
    history: "DataFrame",
    aggregate: Aggregate,
    by: Sequence[str],
    length: timedelta,
    config: FeatureConfig,
) -> "DataFrame":
    from pyspark.sql import Window

    f, time = functions(), microseconds(quoted(config.timestamp_column))
    timed = rows.withColumn(_TIME, time)
    places = timed.select(*map(quoted, by), _TIME).dropna().distinct()
    events = history.select(*map(quoted, by), time.alias(_TIME), *_values(history, aggregate, config)).dropna(
        subset=[*by, _TIME]
    )
    both = events.unionByName(places.withColumn("__place", f.lit(True)), allowMissingColumns=True)
    reach = round(length.total_seconds() * 1_000_000)
    past = Window.partitionBy(*map(quoted, by)).orderBy(_TIME).rangeBetween(-reach, -1)
    made = {aggregate.name_of(name, length): _FUNCTIONS[name](past) for name in aggregate.functions}
    windows = both.withColumns(made).where("__place").select(*map(quoted, by), _TIME, *map(quoted, made))
    return timed.join(windows, on=[*by, _TIME], how="left").drop(_TIME)


def _values(history: "DataFrame", aggregate: Aggregate, config: FeatureConfig) -> list[Expr]:
    """The value, with the primary keys to order values of the same instant."""
    f, value = functions(), quoted(aggregate.column)
    kind = history.schema[aggregate.column].dataType.simpleString()
    if kind in ("double", "float"):
        value = f.nanvl(value, f.lit(None))
    number = value.cast("bigint") if kind == "boolean" else value
    keys = [quoted(key).alias(f"k{i}") for i, key in enumerate(config.primary_keys)]
    instant = microseconds(quoted(config.timestamp_column)).alias("at")
    last = f.when(value.isNotNull(), f.struct(instant, *keys, value.alias("value")))
    return [number.alias(_VALUE), last.alias(_LAST)]


_FUNCTIONS: Mapping[str, Callable[["WindowSpec"], Expr]] = {
    "count": lambda past: functions().count(_VALUE).over(past),
    "sum": lambda past: functions().sum(_VALUE).over(past),
    "mean": lambda past: functions().mean(_VALUE).over(past),
    "min": lambda past: functions().min(_VALUE).over(past),
    "max": lambda past: functions().max(_VALUE).over(past),
    "std": lambda past: functions().stddev_samp(_VALUE).over(past),
    "n_unique": lambda past: functions().size(functions().collect_set(_VALUE).over(past)).cast("bigint"),
    "last": lambda past: functions().max(_LAST).over(past).getField("value"),
}
