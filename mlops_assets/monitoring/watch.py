"""Drift, window by window: the champion's training rows are the reference, new rows are profiled once.

A window is judged on all its rows and, if the document has slices, on each slice; a slice's features are named like
`temp [origin=EWR]`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import polars as pl

from mlops_assets.lake.errors import Overtaken
from mlops_assets.monitoring import slices, store, windowed
from mlops_assets.monitoring.alarm import Alarm, WindowVerdict, alarm, settled, window_verdict
from mlops_assets.monitoring.profile import Profile, Reference
from mlops_assets.monitoring.references import basis, fitted_references
from mlops_assets.monitoring.store import DriftTables
from mlops_assets.monitoring.verdict import FeatureDrift, feature_drift
from mlops_assets.monitoring.windows import Clock, are_over, of_length, same_weekday

if TYPE_CHECKING:
    from mlops_assets.config import MonitoringConfig

PREDICTION = "prediction"  # the model's output, watched as a feature
MOST_WINDOWS = 100  # that an alarm is computed from; one that began earlier counts as begun with the oldest


@dataclass(frozen=True)
class Watched:
    """The state after a run: the champion's newest finished windows, as far back as the alarm depends on them, oldest
    first, and the features of each.
    """

    version: str
    windows: tuple[WindowVerdict, ...]
    alarm: Alarm
    features: Mapping[str, list[FeatureDrift]]
    rows: int = 0


def watch(
    tables: DriftTables,
    batch: pl.DataFrame,
    batch_id: int,
    *,
    after: int | None,
    version: str,
    features: Sequence[str],
    training: Callable[[], pl.DataFrame],
    config: "MonitoringConfig",
    clock: Clock,
) -> Watched:
    """Profile the rows of `batch` (columns: window, `features`, prediction, and those of the slices) and judge their
    windows.

    The rows are those after batch `after`, up to `batch_id`; none is profiled twice, even by concurrent runs.
    `training` returns the rows that champion `version` was trained on, with the same columns; it is called once per
    champion.
    """
    references = fitted_references(tables.references, version, [*features, PREDICTION], training, config)
    newest = _profile_batch(tables.profiles, version, batch, batch_id, after, references)
    if newest is None:
        # Judged on every run: one may have been killed in between, or the document changed.
        newest = store.newest_batch(tables.profiles, version, config.window)
    judged = {window: _judge_window(tables, version, window, references, config) for window in newest}
    if any(judged.values()):
        store.replace_verdicts(
            tables.drift, version, {window: verdicts for window, verdicts in judged.items() if verdicts}
        )
    return history(tables, version, config, clock, rows=batch.height)


def _profile_batch(
    table: str, version: str, batch: pl.DataFrame, batch_id: int, after: int | None, references: Mapping[str, Reference]
) -> list[str] | None:
    """The windows of the rows profiled; None if there were no rows, or they had been profiled before."""
    if batch.is_empty() or batch_id == after:
        return None
    profiles = {
        str(window): slices.profiles(rows, references)
        for (window,), rows in batch.group_by("window", maintain_order=True)
    }
    try:
        store.append_profiles(table, version, batch_id, profiles, after=after)
    except Overtaken:
        return None
    return sorted(profiles)


def history(tables: DriftTables, version: str, config: "MonitoringConfig", clock: Clock, *, rows: int = 0) -> Watched:
    """The drift of a champion's newest finished windows, back to one that no alarm outlasts, at most MOST_WINDOWS.

    Unfinished windows are skipped: the first hours of a day differ from a full day.
    """

    def calm(drift: pl.DataFrame) -> bool:
        oldest = _verdicts(version, store.read_verdicts(drift.filter(pl.col("window") == drift["window"][0])))
        return settled(oldest[0], config.hysteresis) or drift["window"].n_unique() >= MOST_WINDOWS

    stored = windowed.read_back(tables.drift, calm, are_over(config.window, clock), version)
    if stored.is_empty():
        return Watched(version, (), Alarm(), {}, rows)
    features = store.read_verdicts(windowed.newest_windows(stored, MOST_WINDOWS))
    windows = _verdicts(version, features)
    current = alarm(windows, consecutive=config.consecutive_windows, hysteresis=config.hysteresis)
    return Watched(version, windows, current, features, rows)


def _verdicts(version: str, by_window: Mapping[str, list[FeatureDrift]]) -> tuple[WindowVerdict, ...]:
    return tuple(window_verdict(window, version, features) for window, features in by_window.items())


def judge(reference: Profile, current: Profile, config: "MonitoringConfig") -> list[FeatureDrift]:
    """The verdict of each feature of one window, by the document's methods and thresholds."""
    drift = config.data_drift_detection
    method = drift.method if drift else "psi"
    alerting = config.alert_thresholds
    return feature_drift(
        reference,
        current,
        method=method,
        threshold=drift.threshold if drift else None,
        fdr=config.fdr,
        effect_floor=alerting.get("feature_drift"),
        floors={PREDICTION: alerting["prediction_drift"]} if "prediction_drift" in alerting else {},
        severe=config.severe_threshold,
        min_sample=config.min_sample,
    )


def _judge_window(
    tables: DriftTables, version: str, window: str, references: Mapping[str, Reference], config: "MonitoringConfig"
) -> list[FeatureDrift]:
    current = store.read_profiles(tables.profiles, version, [window], references)
    baselines = {name: reference.profile for name, reference in references.items()}
    baselines |= _weekday_baselines(tables, version, window, references, config)
    return [
        replace(one, feature=slices.sliced_name(one.feature, name))
        for name, profile in current.items()
        for one in judge(baselines[name], profile, config)
    ]


def _weekday_baselines(
    tables: DriftTables, version: str, window: str, references: Mapping[str, Reference], config: "MonitoringConfig"
) -> dict[str, Profile]:
    """The merged profiles of the last windows of the same weekday; empty until there are `baseline_windows` of them."""
    drift = config.data_drift_detection
    if drift is None or drift.baseline == "training":
        return {}
    count = drift.baseline_windows

    def last_weekdays(profiles: pl.DataFrame) -> list[str]:
        return same_weekday(profiles["window"].unique().to_list(), window)[-count:]

    is_earlier = of_length(config.window) & (pl.col("window") < window)
    stored = windowed.read_back(tables.profiles, lambda rows: len(last_weekdays(rows)) == count, is_earlier, version)
    earlier = last_weekdays(stored) if stored.height else []
    enough = len(earlier) == count
    return store.read_profiles(tables.profiles, version, earlier, references) if enough else {}


def verdicts(tables: DriftTables, last: int, config: "MonitoringConfig", clock: Clock) -> dict[str, list[FeatureDrift]]:
    """The features of the `last` finished windows; if several champions scored a window, as judged against the
    newest.
    """
    over = are_over(config.window, clock)
    stored = windowed.read_back(tables.drift, lambda rows: rows["window"].n_unique() >= last, over)
    if stored.is_empty():
        return {}
    newest = pl.col("version").cast(pl.Int64)
    return store.read_verdicts(windowed.newest_windows(stored, last).filter(newest == newest.max().over("window")))


def profiles_of(
    tables: DriftTables, window: str, config: "MonitoringConfig"
) -> tuple[dict[str, Profile], dict[str, Profile]]:
    """By slice, the reference's profile and the window's, for the newest champion it was judged against."""
    version = max(windowed.read_windows(tables.drift, [window])["version"].to_list(), key=int)
    references = store.read_references(tables.references, version, basis(config))
    current = store.read_profiles(tables.profiles, version, [window], references)
    return {name: reference.profile for name, reference in references.items()}, current
