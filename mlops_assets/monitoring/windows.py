"""Which window of time a row belongs to, as text that sorts in the order of time."""

import polars as pl

# Windows begin at the zone's own midnight, Monday or first of the month.
_FORMATS = {"hour": "%Y-%m-%dT%H", "day": "%Y-%m-%d", "week": "%G-W%V", "month": "%Y-%m"}


def window_of(column: str, length: str, timezone: str = "UTC") -> pl.Expr:
    """The window (hour, day, week or month) of an instant in a time zone, such as `2013-04`."""
    local = pl.col(column).cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(timezone)
    return local.dt.strftime(_FORMATS[length]).alias("window")
