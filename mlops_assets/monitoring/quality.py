"""Whether a window's data is whole: nulls, unseen levels, rows that broke rules, volume and age.

Such a window says little of the world and nothing of the model: it is told, and trains nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import TYPE_CHECKING

import polars as pl

from mlops_assets.monitoring import slices, windowed
from mlops_assets.monitoring.summary import Profile
from mlops_assets.monitoring.windows import Clock, are_over, end_of, of_length

if TYPE_CHECKING:
    from mlops_assets.config import MonitoringConfig

THRESHOLD = 0.95  # of the share of sound values, where the document gives none
VOLUME = 0.5  # share of the usual number of rows below which a window is thin, and above whose inverse it is swollen
WINDOWS_BEFORE = 8
ROWS = "rows"
NULLS, UNSEEN, BROKEN, VOLUMES, AGE = "nulls", "unseen_levels", "failed_rules", "volume", "freshness"


@dataclass(frozen=True)
class Quality:
    """One look at one window: `value` is a share of rows, of volume the number of rows, of freshness an age in hours;
    `limit` is what it may not pass. `verdict` is ok, failed or insufficient_data.
    """

    check: str
    subject: str
    value: float
    expected: float
    limit: float
    verdict: str

    @property
    def failed(self) -> bool:
        """Whether the data is not whole."""
        return self.verdict == "failed"

    @property
    def sentence(self) -> str:
        """The finding as a sentence's part with its numbers."""
        if self.check == VOLUMES:
            return f"volume: {self.value:,.0f} {self.subject}, usually {self.expected:,.0f}"
        if self.check == AGE:
            return f"freshness: the newest row is {self.value:,.1f} h old, at most {self.limit:,.1f} h are allowed"
        name = self.check.replace("_", " ")
        return f"{name} of {self.subject}: {self.value:.1%} of the rows, usually {self.expected:.1%}"


@dataclass(frozen=True)
class Arrived:
    """Rows of a window's source (of a slice, as far as it has the column), and how many of them are in quarantine."""

    table: str
    rows: int
    quarantined: int
    part: str = slices.WHOLE


def window_quality(
    reference: Mapping[str, Profile],
    current: Mapping[str, Profile],
    arrived: Sequence[Arrived],
    before: pl.DataFrame,
    config: "MonitoringConfig",
    *,
    over: bool,
) -> list[Quality]:
    """What is to be said of a window and its slices: nulls and unseen levels beside the reference's, the rest beside
    the median of the windows `before` (columns check, subject, value). A window that is not `over` may still grow.
    """
    tolerance = 1 - config.alert_thresholds.get("data_quality", THRESHOLD)
    found = [
        one
        for part, profile in current.items()
        for one in _of_columns(reference[part], profile, part, tolerance, config.min_sample)
    ]
    for one in arrived:
        subject, share = slices.sliced_name(one.table, one.part), one.quarantined / one.rows if one.rows else 0.0
        usual = _typical_value(before, BROKEN, subject) or 0.0
        found.append(_share(BROKEN, subject, share, usual, tolerance, one.rows >= config.min_sample))
    if over:
        found += [_volume(profile.rows, part, before, config.min_sample) for part, profile in current.items()]
    return found


def freshness(newest: datetime, now: datetime, config: "MonitoringConfig") -> list[Quality]:
    """The age of the newest row, where the document has a limit."""
    if config.max_age is None:
        return []
    age, limit = ((each.total_seconds() / 3600) for each in (now - newest, config.max_age))
    return [Quality(AGE, ROWS, age, 0.0, limit, "failed" if age > limit else "ok")]


def score(found: Sequence[Quality]) -> float:
    """`data_quality`, 0 to 1: one less the largest share of values that are worse than expected."""
    shares = [one.value - one.expected for one in found if one.check in (NULLS, UNSEEN, BROKEN)]
    return 1 - max([0.0, *shares])


def write_quality(table: str, version: str, judged: Mapping[str, Sequence[Quality]]) -> None:
    """Keep what was found of these windows in place of what was found of them before."""
    rows = [{**vars(one), "version": version, "window": window} for window, all_ in judged.items() for one in all_]
    if rows:
        windowed.replace_windows(table, pl.DataFrame(rows), keys={"version": version}, transactions={})


def read_quality(table: str, version: str, length: str, clock: Clock) -> dict[str, list[Quality]]:
    """What was found of a champion's newest window and, where that one still grows, of the last that is over."""
    read = windowed.read_back(table, lambda rows: rows["window"].n_unique() > 1, of_length(length), version)
    if read.is_empty():
        return {}
    over = read.filter(are_over(length, clock))["window"].max()
    return _by_window(read.filter(pl.col("window") >= over) if over else read)


def last_quality(table: str, count: int, length: str) -> dict[str, list[Quality]]:
    """What was found of the last windows of a length, by the newest champion that looked at each."""
    read = windowed.read_back(table, lambda rows: rows["window"].n_unique() >= count, of_length(length))
    stored = windowed.newest_windows(read, count)
    if stored.is_empty():
        return {}
    newest = pl.col("version").cast(pl.Int64)
    return _by_window(stored.filter(newest == newest.max().over("window")))


def _by_window(stored: pl.DataFrame) -> dict[str, list[Quality]]:
    if stored.is_empty():
        return {}
    return {
        str(window): [Quality(**row) for row in part.drop("version", "window").iter_rows(named=True)]
        for (window,), part in stored.group_by("window", maintain_order=True)
    }


def windows_before(table: str, version: str, window: str, length: str) -> pl.DataFrame:
    """Columns check, subject and value of the windows of a length before one, as many as tell what is usual."""

    def enough(rows: pl.DataFrame) -> bool:
        return rows["window"].n_unique() >= WINDOWS_BEFORE

    earlier = windowed.read_back(table, enough, of_length(length) & (pl.col("window") < window), version)
    found = _by_window(windowed.newest_windows(earlier, WINDOWS_BEFORE))
    values = [(one.check, one.subject, one.value) for each in found.values() for one in each]
    return pl.DataFrame(values, schema={"check": pl.String, "subject": pl.String, "value": pl.Float64}, orient="row")


def is_over(window: str, clock: Clock) -> bool:
    """Whether no row of the window is still to come."""
    return end_of(window, clock.timezone) <= clock.now


def _of_columns(reference: Profile, current: Profile, part: str, tolerance: float, enough: int) -> list[Quality]:
    found = []
    for name, now in current.columns.items():
        then, subject = reference.columns[name], slices.sliced_name(name, part)
        for check, counted, usual in ((NULLS, now.null, then.null), (UNSEEN, now.unseen, then.unseen)):
            if counted or usual:
                value, expected = counted / max(now.rows, 1), usual / max(then.rows, 1)
                found.append(_share(check, subject, value, expected, tolerance, now.rows >= enough))
    return found


def _share(check: str, subject: str, value: float, expected: float, tolerance: float, enough: bool) -> Quality:
    limit = expected + tolerance
    verdict = "insufficient_data" if not enough else "failed" if value > limit else "ok"
    return Quality(check, subject, value, expected, limit, verdict)


def _volume(rows: int, part: str, before: pl.DataFrame, least: int) -> Quality:
    """A slice of few rows has half or twice as many by chance: it says nothing."""
    subject = slices.sliced_name(ROWS, part)
    usual = _typical_value(before, VOLUMES, subject)
    if usual is None or (part and max(rows, usual) < least):
        return Quality(VOLUMES, subject, float(rows), float(rows if usual is None else usual), 0.0, "insufficient_data")
    sound = VOLUME * usual <= rows <= usual / VOLUME
    limit = VOLUME * usual if rows < usual else usual / VOLUME
    return Quality(VOLUMES, subject, float(rows), usual, limit, "ok" if sound else "failed")


def _typical_value(before: pl.DataFrame, check: str, subject: str) -> float | None:
    values = before.filter((pl.col("check") == check) & (pl.col("subject") == subject))["value"].to_list()
    return median(values) if values else None
