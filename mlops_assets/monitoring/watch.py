"""Drift, window by window: the champion's training rows are the reference, new rows are profiled once.

A window is judged as a whole and, where the document names slices, in each of them; a slice's features are named as
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
MOST_WINDOWS = 100  # that an alarm is told from: what began before them counts as begun with them


@dataclass(frozen=True)
class Watched:
    """What is known after a run: the champion's newest windows that are over, as far back as the alarm rests on them,
    oldest first, and the features of each.
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
    """Profile the rows of `batch` (columns: window, `features`, prediction, and those of the slices), judge the windows
    they belong to.

    The rows are those behind batch `after`, up to `batch_id`: none is profiled twice, also where two runs come at once.
    `training` gives the rows that champion `version` learned from, with the same columns; it is called once a champion.
    """
    references = fitted_references(tables.references, version, [*features, PREDICTION], training, config)
    newest = _profiled(tables.profiles, version, batch, batch_id, after, references)
    if newest is None:
        # Judged on every run, should one have been killed in between or the document have changed.
        newest = store.newest_batch(tables.profiles, version, config.window)
    judged = {window: _judged(tables, version, window, references, config) for window in newest}
    if any(judged.values()):
        store.replace_verdicts(tables.drift, version, {window: found for window, found in judged.items() if found})
    return history(tables, version, config, clock, rows=batch.height)


def _profiled(
    table: str, version: str, batch: pl.DataFrame, batch_id: int, after: int | None, references: Mapping[str, Reference]
) -> list[str] | None:
    """The windows of the rows that were profiled; None where there was none, or another run had them before."""
    if batch.is_empty() or batch_id == after:
        return None
    found = {
        str(window): slices.profiles(rows, references)
        for (window,), rows in batch.group_by("window", maintain_order=True)
    }
    try:
        store.append_profiles(table, version, batch_id, found, after=after)
    except Overtaken:
        return None
    return sorted(found)


def history(tables: DriftTables, version: str, config: "MonitoringConfig", clock: Clock, *, rows: int = 0) -> Watched:
    """What the drift table says of a champion's newest windows, back to one that no alarm outlasts, but MOST_WINDOWS.

    The hours that a day has had so far are unlike the whole day: what it says before it is over is no verdict.
    """

    def calm(found: pl.DataFrame) -> bool:
        oldest = _verdicts(version, store.read_verdicts(found.filter(pl.col("window") == found["window"][0])))
        return settled(oldest[0], config.hysteresis) or found["window"].n_unique() >= MOST_WINDOWS

    stored = windowed.read_back(tables.drift, calm, are_over(config.window, clock), version)
    if stored.is_empty():
        return Watched(version, (), Alarm(), {}, rows)
    found = store.read_verdicts(windowed.newest_windows(stored, MOST_WINDOWS))
    windows = _verdicts(version, found)
    now = alarm(windows, consecutive=config.consecutive_windows, hysteresis=config.hysteresis)
    return Watched(version, windows, now, found, rows)


def _verdicts(version: str, found: Mapping[str, list[FeatureDrift]]) -> tuple[WindowVerdict, ...]:
    return tuple(window_verdict(window, version, features) for window, features in found.items())


def judge(reference: Profile, current: Profile, config: "MonitoringConfig") -> list[FeatureDrift]:
    """The verdict of each feature of one window, as the document asks."""
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


def _judged(
    tables: DriftTables, version: str, window: str, references: Mapping[str, Reference], config: "MonitoringConfig"
) -> list[FeatureDrift]:
    current = store.read_profiles(tables.profiles, version, [window], references)
    against = {name: found.profile for name, found in references.items()}
    against |= _weekdays(tables, version, window, references, config)
    return [
        replace(one, feature=slices.sliced_name(one.feature, name))
        for name, profile in current.items()
        for one in judge(against[name], profile, config)
    ]


def _weekdays(
    tables: DriftTables, version: str, window: str, references: Mapping[str, Reference], config: "MonitoringConfig"
) -> dict[str, Profile]:
    """What the last windows of the same weekday held, together; nothing until there are as many as the document asks
    for.
    """
    drift = config.data_drift_detection
    if drift is None or drift.baseline == "training":
        return {}
    count = drift.baseline_windows

    def alike(found: pl.DataFrame) -> list[str]:
        return same_weekday(found["window"].unique().to_list(), window)[-count:]

    earlier_ones = of_length(config.window) & (pl.col("window") < window)
    before = windowed.read_back(tables.profiles, lambda found: len(alike(found)) == count, earlier_ones, version)
    earlier = alike(before) if before.height else []
    enough = len(earlier) == count
    return store.read_profiles(tables.profiles, version, earlier, references) if enough else {}


def verdicts(tables: DriftTables, last: int, config: "MonitoringConfig", clock: Clock) -> dict[str, list[FeatureDrift]]:
    """The features of the last windows that are over, as judged against the champion that scored them: the newest of
    several.
    """
    over = are_over(config.window, clock)
    stored = windowed.read_back(tables.drift, lambda found: found["window"].n_unique() >= last, over)
    if stored.is_empty():
        return {}
    newest = pl.col("version").cast(pl.Int64)
    return store.read_verdicts(windowed.newest_windows(stored, last).filter(newest == newest.max().over("window")))


def profiles_of(
    tables: DriftTables, window: str, config: "MonitoringConfig"
) -> tuple[dict[str, Profile], dict[str, Profile]]:
    """By slice, the reference's profile and the window's own, of the newest champion that the window was judged
    against.
    """
    version = max(windowed.read_windows(tables.drift, [window])["version"].to_list(), key=int)
    references = store.read_references(tables.references, version, basis(config))
    current = store.read_profiles(tables.profiles, version, [window], references)
    return {name: found.profile for name, found in references.items()}, current
