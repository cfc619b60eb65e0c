"""Windowed aggregates: what each row's past says, closed on the left.

The window of a row at time t is [t - length, t): neither the row itself nor another of the same instant is in it, and
nothing later. Nulls and NaN are left out. An empty window counts 0 and has no sum, mean, least or last value. Rows
without a key or a time have null aggregates, and are in nobody's window.
"""

from collections.abc import Sequence
from datetime import timedelta

import polars as pl

from mlops_assets.config.features import Aggregate, FeatureConfig
from mlops_assets.features.errors import FeatureError
from mlops_assets.features.joins import require_columns

_TIME = "__time"
_NUMBERS_ONLY = ("sum", "mean", "std")


def with_aggregates(rows: pl.LazyFrame, history: pl.LazyFrame, config: FeatureConfig) -> pl.LazyFrame:
    """`rows` in their order with a column per aggregate, function and window; `history` holds the rows summed up,
    those of `rows` among them.

    Raises FeatureError naming the column that is missing, is there already, or is no number where one is needed.
    """
    for position, aggregate in enumerate(config.aggregates):
        where = f"aggregates[{position}] ({aggregate.column})"
        by = config.grouped_by(aggregate)
        _check(rows.collect_schema(), aggregate, by, config, where)
        for window in aggregate.windows:
            rows = _with_window(rows, history, aggregate, by, window, config)
    return rows


def longest_window(config: FeatureConfig) -> timedelta:
    """How far before a row its oldest aggregate looks; zero where there are none."""
    return max((window for each in config.aggregates for window in each.windows), default=timedelta())


def past_of(rows: pl.DataFrame, source: pl.LazyFrame, config: FeatureConfig) -> pl.LazyFrame:
    """The rows of `source` that can be in a window of `rows`: from the longest window before the first to the last."""
    time = pl.col(config.timestamp_column)
    first, last = rows[config.timestamp_column].min(), rows[config.timestamp_column].max()
    if first is None:
        return source.clear()
    # A date's window is in days of 24 hours, so a day is added for lengths that are no whole days.
    reach = longest_window(config) + timedelta(days=1)
    return source.filter(time >= pl.lit(first) - pl.lit(reach), time <= pl.lit(last))


def _check(schema: pl.Schema, aggregate: Aggregate, by: Sequence[str], config: FeatureConfig, where: str) -> None:
    require_columns([aggregate.column, *by, *config.primary_keys], schema.names(), f"{where}: '{config.source_table}'")
    dtype = schema[aggregate.column]
    needing = [each for each in aggregate.functions if each in _NUMBERS_ONLY]
    if needing and not (dtype.is_numeric() or dtype == pl.Boolean):
        raise FeatureError(f"{where}: {needing[0]} needs numbers, and '{aggregate.column}' is {dtype}")
    for name in aggregate.names:
        if name in schema.names():
            raise FeatureError(f"{where}: there is a column '{name}' already")


def _with_window(
    rows: pl.LazyFrame,
    history: pl.LazyFrame,
    aggregate: Aggregate,
    by: Sequence[str],
    window: timedelta,
    config: FeatureConfig,
) -> pl.LazyFrame:
    schema = rows.collect_schema()
    time = _instant(config.timestamp_column, schema)
    value = pl.col(aggregate.column)
    dtype = schema[aggregate.column]
    value = value.fill_nan(None) if dtype.is_float() else value
    whole = dtype.is_integer() or dtype == pl.Boolean
    # Ties are broken by the primary keys, so that the last value does not hang on the order of files.
    events = (
        history.filter(pl.all_horizontal(pl.col(key).is_not_null() for key in [*by, config.timestamp_column]))
        .sort(config.primary_keys)
        .select(*by, time.alias(_TIME), value.alias("__value"))
    )
    places = rows.select(*by, time.alias(_TIME)).drop_nulls().unique()
    windows = (
        pl.concat([events, places], how="diagonal")
        .sort(_TIME, maintain_order=True)
        .rolling(_TIME, period=window, closed="left", group_by=list(by))
        .agg(_function(name, whole=whole).alias(aggregate.name_of(name, window)) for name in aggregate.functions)
        .unique([*by, _TIME], keep="any")
    )
    timed = rows.with_columns(time.alias(_TIME))
    return timed.join(windows, on=[*by, _TIME], how="left", maintain_order="left").drop(_TIME)


def _instant(column: str, schema: pl.Schema) -> pl.Expr:
    """The time as microseconds without a zone, in which every day has 24 hours."""
    dtype = schema[column]
    if not isinstance(dtype, (pl.Date, pl.Datetime)):
        raise FeatureError(f"aggregates: timestamp_column '{column}' is {dtype}; windows need a date or an instant")
    moment = pl.col(column)
    if isinstance(dtype, pl.Datetime) and dtype.time_zone:
        moment = moment.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return moment.cast(pl.Datetime("us"))


def _function(name: str, *, whole: bool) -> pl.Expr:
    """One aggregate of the values in a window; the sum of `whole` numbers has 64 bits, as on Spark."""
    # Without nulls first, each window is summed up on its own: no rounding error is carried from one to the next.
    known = pl.col("__value").drop_nulls()
    match name:
        case "count":
            return known.len().cast(pl.Int64)
        case "n_unique":
            return known.n_unique().cast(pl.Int64)
        case "sum":
            added = known.cast(pl.Int64) if whole else known
            return pl.when(known.len() > 0).then(added.sum())
        case "last":
            return known.last()
    named = {"mean": known.mean(), "min": known.min(), "max": known.max(), "std": known.std()}
    return named[name]
