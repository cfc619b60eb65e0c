"""Time windows of rows, named by texts that sort by time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl

# Windows begin at the zone's own midnight, Monday or first of the month.
_FORMATS = {"hour": "%Y-%m-%dT%H", "day": "%Y-%m-%d", "week": "%G-W%V", "month": "%Y-%m"}
_EVERY = {"hour": "1h", "day": "1d", "week": "1w", "month": "1mo"}
_CHARACTERS = {"hour": 13, "day": 10, "week": 8, "month": 7}


@dataclass(frozen=True)
class Clock:
    """The time zone of windows, and the current instant, by which windows are over and labels due."""

    timezone: str
    now: datetime


def window_of(column: str, length: str, timezone: str = "UTC") -> pl.Expr:
    """The window (hour, day, week or month) of an instant in a time zone, such as `2013-04`."""
    return _local(column, timezone).dt.strftime(_FORMATS[length]).alias("window")


def whole_windows(column: str, times: pl.Series, length: str, timezone: str = "UTC") -> pl.Expr:
    """A filter for instants between the first and the last window of `times`, which lets a scan skip files.

    False if there are no times.
    """
    if times.null_count() == len(times):
        return pl.lit(False)
    ends = pl.select(first=pl.lit(times.min()), last=pl.lit(times.max()))
    starts = ends.select(_local(name, timezone).dt.truncate(_EVERY[length]) for name in ("first", "last"))
    first, after = starts.select("first", pl.col("last").dt.offset_by(_EVERY[length])).row(0)
    naive = getattr(times.dtype, "time_zone", None) is None
    bounds = [pl.lit(end).dt.convert_time_zone("UTC") for end in (first, after)]
    low, high = (bound.dt.replace_time_zone(None) if naive else bound for bound in bounds)
    return (pl.col(column) >= low) & (pl.col(column) < high)


def of_length(length: str) -> pl.Expr:
    """A filter for windows of this length; the document may have asked for another length before."""
    return pl.col("window").str.len_chars() == _CHARACTERS[length]


def are_over(length: str, clock: Clock) -> pl.Expr:
    """A filter for windows of this length that are over."""
    current = clock.now.astimezone(ZoneInfo(clock.timezone)).strftime(_FORMATS[length])
    return of_length(length) & (pl.col("window") < current)


def start_of(window: str, timezone: str = "UTC") -> datetime:
    """The instant at which a window that `window_of` named begins."""
    day = f"{window}-1" if "W" in window else f"{window}-01" if window.count("-") == 1 else window
    return datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(timezone))


def end_of(window: str, timezone: str = "UTC") -> datetime:
    """The instant at which a window ends."""
    start = start_of(window, timezone)
    if "W" in window:
        return start + timedelta(weeks=1)
    if window.count("-") == 1:
        return (start + timedelta(days=31)).replace(day=1)
    return start + (timedelta(hours=1) if "T" in window else timedelta(days=1))


def same_weekday(windows: Sequence[str], window: str) -> list[str]:
    """The `windows` (hours or days) before `window` of the same weekday (and hour), in order."""
    day = datetime.fromisoformat(window)
    found = [datetime.fromisoformat(one) for one in windows if one < window]
    alike = [one for one in found if (one.weekday(), one.hour) == (day.weekday(), day.hour)]
    return [one.strftime(_FORMATS["hour" if "T" in window else "day"]) for one in sorted(alike)]


def _local(column: str, timezone: str) -> pl.Expr:
    return pl.col(column).cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(timezone)
