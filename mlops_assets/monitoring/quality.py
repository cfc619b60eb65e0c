"""Data quality of a window: nulls, unseen levels, rows that broke rules, volume and age.

Broken data says nothing about the model: it raises an alert but never a retraining.
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
    """One finding on one window: `value` is a share of rows, a number of rows (volume) or an age in hours (freshness).

    `limit` is its bound; `verdict` is ok, failed or insufficient_data.
    """

    check: str
    subject: str
    value: float
    expected: float
    limit: float
    verdict: str

    @property
    def failed(self) -> bool:
        """Whether the value is beyond its limit."""
        return self.verdict == "failed"

    @property
    def sentence(self) -> str:
        """The finding with its figures, as part of a sentence."""
        if self.check == VOLUMES:
            return f"volume: {self.value:,.0f} {self.subject}, usually {self.expected:,.0f}"
        if self.check == AGE:
            return f"freshness: the newest row is {self.value:,.1f} h old, at most {self.limit:,.1f} h are allowed"
        name = self.check.replace("_", " ")
        return f"{name} of {self.subject}: {self.value:.1%} of the rows, usually {self.expected:.1%}"


@dataclass(frozen=True)
class Arrived:
    """The number of rows that arrived at the source in a window (or slice), and how many are quarantined."""

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
    """The findings on a window and its slices.

    Nulls and unseen levels are compared with the reference, the rest with the median of the windows `before` (columns
    check, subject, value). A window that is not `over` may still grow.
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
    """The finding on the age of the newest row; none if the document has no limit."""
    if config.max_age is None:
        return []
    age, limit = ((each.total_seconds() / 3600) for each in (now - newest, config.max_age))
    return [Quality(AGE, ROWS, age, 0.0, limit, "failed" if age > limit else "ok")]


def score(found: Sequence[Quality]) -> float:
    """`data_quality`, 0 to 1: one less the largest share of values that are worse than expected."""
    shares = [one.value - one.expected for one in found if one.check in (NULLS, UNSEEN, BROKEN)]
    return 1 - max([0.0, *shares])


def write_quality(table: str, version: str, judged: Mapping[str, Sequence[Quality]]) -> None:
    """Store the findings of these windows, replacing earlier ones."""
    rows = [{**vars(one), "version": version, "window": window} for window, all_ in judged.items() for one in all_]
    if rows:
        windowed.replace_windows(table, pl.DataFrame(rows), keys={"version": version}, transactions={})


def read_quality(table: str, version: str, length: str, clock: Clock) -> dict[str, list[Quality]]:
    """The findings of a champion's newest window and, if it is not over, back to the last one that is."""
    read = windowed.read_back(table, lambda rows: rows["window"].n_unique() > 1, of_length(length), version)
    if read.is_empty():
        return {}
    over = read.filter(are_over(length, clock))["window"].max()
    return _by_window(read.filter(pl.col("window") >= over) if over else read)


def last_quality(table: str, count: int, length: str) -> dict[str, list[Quality]]:
    """The findings of the last windows of a length, each for the newest champion that has any."""
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
    """Columns check, subject and value of the windows before one, as many as the median needs."""

    def enough(rows: pl.DataFrame) -> bool:
        return rows["window"].n_unique() >= WINDOWS_BEFORE

    earlier = windowed.read_back(table, enough, of_length(length) & (pl.col("window") < window), version)
    found = _by_window(windowed.newest_windows(earlier, WINDOWS_BEFORE))
    values = [(one.check, one.subject, one.value) for each in found.values() for one in each]
    return pl.DataFrame(values, schema={"check": pl.String, "subject": pl.String, "value": pl.Float64}, orient="row")


def is_over(window: str, clock: Clock) -> bool:
    """Whether the window has ended."""
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
    """A slice of few rows is not judged: its volume may halve or double by chance."""
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
