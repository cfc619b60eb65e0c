"""Drift, window by window: the champion's training rows are the reference, new rows are profiled once.

Three Delta tables hold what is known: `references` (a champion's training profile), `profiles` (a batch of rows of one
window against one champion; batches add up) and `drift` (a verdict a window, champion and feature).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import polars as pl

from mlops_assets.lake import delta
from mlops_assets.monitoring.alarm import Alarm, WindowVerdict, alarm, window_verdict
from mlops_assets.monitoring.profile import (
    Reference,
    fit_reference,
    from_frame,
    merge_profiles,
    reference_from_frame,
    summarise,
    to_frame,
)
from mlops_assets.monitoring.summary import Profile
from mlops_assets.monitoring.verdict import FeatureDrift, feature_drift

if TYPE_CHECKING:
    from mlops_assets.config import MonitoringConfig

PREDICTION = "prediction"  # the model's output, watched as a feature
BATCH = "predictions"  # the transaction that says which predictions are profiled
DRIFT_KEYS = ["version", "window", "feature"]


@dataclass(frozen=True)
class DriftTables:
    """Paths of the monitor's three tables."""

    references: str
    profiles: str
    drift: str


@dataclass(frozen=True)
class Watched:
    """What is known after a run: verdicts of the champion's windows, oldest first, and the alarm they make."""

    version: str
    windows: tuple[WindowVerdict, ...]
    alarm: Alarm
    features: pl.DataFrame
    rows: int = 0


def watch(
    tables: DriftTables,
    batch: pl.DataFrame,
    batch_id: int,
    *,
    version: str,
    training: Callable[[], pl.DataFrame],
    config: "MonitoringConfig",
) -> Watched:
    """Profile the rows of `batch` (columns: window, the watched features, prediction), judge the windows they belong
    to.

    `batch_id` grows from batch to batch: one that was profiled is not profiled again. `training` gives the rows that
    champion `version` learned from, with the same columns; it is called once a champion.
    """
    reference = _reference(tables.references, version, training)
    done = delta.transaction_version(tables.profiles, BATCH)
    if batch.height and (done is None or batch_id > done):
        _append_profiles(tables.profiles, batch, batch_id, version, reference)
    for window in _latest_windows(tables.profiles, version):
        judged = judge(reference.profile, _window_profile(tables.profiles, version, window), config)
        delta.merge(tables.drift, _rows(version, window, judged), keys=DRIFT_KEYS, transactions={})
    return history(tables, version, config, rows=batch.height)


def history(tables: DriftTables, version: str, config: "MonitoringConfig", *, rows: int = 0) -> Watched:
    """What the drift table says of a champion's windows."""
    if not delta.exists(tables.drift):
        return Watched(version, (), Alarm(), pl.DataFrame(), rows)
    found = delta.scan(tables.drift).filter(pl.col("version") == version).sort("window").collect()
    windows = tuple(
        window_verdict(str(window), version, [_feature(row) for row in part.iter_rows(named=True)])
        for (window,), part in found.group_by("window", maintain_order=True)
    )
    return Watched(version, windows, alarm(windows, consecutive=config.consecutive_windows), found, rows)


def features_of(watched: Watched, window: str) -> list[FeatureDrift]:
    """The verdicts of one window's features."""
    return [_feature(row) for row in watched.features.filter(pl.col("window") == window).iter_rows(named=True)]


def judge(reference: Profile, current: Profile, config: "MonitoringConfig") -> list[FeatureDrift]:
    """The verdict of each feature of one window, as the document asks."""
    drift = config.data_drift_detection
    method = drift.method if drift else "psi"
    judged = feature_drift(
        reference,
        current,
        method=method,
        threshold=drift.threshold if drift else None,
        fdr=config.fdr,
        effect_floor=config.alert_thresholds.get("feature_drift", 0.05),
        severe=config.severe_threshold,
        min_sample=config.min_sample,
    )
    floor = config.alert_thresholds.get("prediction_drift")
    return [_with_floor(one, floor) if one.feature == PREDICTION and floor is not None else one for one in judged]


def _with_floor(one: FeatureDrift, floor: float) -> FeatureDrift:
    """The prediction's verdict under its own alert threshold, a debiased PSI."""
    below = one.drifted and one.psi_debiased <= floor
    return replace(one, effect=one.psi_debiased, limit=floor, verdict="ok" if below else one.verdict)


def _reference(table: str, version: str, training: Callable[[], pl.DataFrame]) -> Reference:
    if delta.exists(table):
        stored = delta.scan(table).filter(pl.col("version") == version).collect()
        if stored.height:
            return reference_from_frame(stored.drop("version"))
    rows = training()
    reference = fit_reference(rows, [name for name in rows.columns if name != "window"])
    delta.append(table, to_frame(reference).with_columns(version=pl.lit(version)), transactions={})
    return reference


def _append_profiles(table: str, batch: pl.DataFrame, batch_id: int, version: str, reference: Reference) -> None:
    frames = [
        to_frame(summarise(rows, reference)).with_columns(
            version=pl.lit(version), window=pl.lit(str(window)), batch=pl.lit(batch_id, pl.Int64)
        )
        for (window,), rows in batch.group_by("window", maintain_order=True)
    ]
    delta.append(table, pl.concat(frames), transactions={BATCH: batch_id}, partition_by=["version"])


def _latest_windows(table: str, version: str) -> list[str]:
    """The windows of the champion's newest batch: judged again on every run, should one have been killed in between."""
    if not delta.exists(table):
        return []
    own = delta.scan(table).filter(pl.col("version") == version)
    newest = own.filter(pl.col("batch") == pl.col("batch").max())
    return newest.select(pl.col("window").unique().sort()).collect()["window"].to_list()


def _window_profile(table: str, version: str, window: str) -> Profile:
    stored = delta.scan(table).filter((pl.col("version") == version) & (pl.col("window") == window)).collect()
    return merge_profiles(from_frame(part.drop("version", "window", "batch")) for _, part in stored.group_by("batch"))


def _rows(version: str, window: str, judged: Sequence[FeatureDrift]) -> pl.DataFrame:
    fields = [{**vars(one), "version": version, "window": window} for one in judged]
    return pl.DataFrame(fields, infer_schema_length=None).with_columns(pl.col("p_adjusted").cast(pl.Float64))


def _feature(row: dict[str, object]) -> FeatureDrift:
    return FeatureDrift(**{name: value for name, value in row.items() if name not in ("version", "window")})  # type: ignore[arg-type]


def verdicts(tables: DriftTables) -> dict[str, list[FeatureDrift]]:
    """Every window's features, as judged against the champion that scored it: the newest where there were several."""
    if not delta.exists(tables.drift):
        return {}
    stored = delta.scan(tables.drift).sort("window", pl.col("version").cast(pl.Int64)).collect()
    found: dict[str, list[FeatureDrift]] = {}
    for (window, _), rows in stored.group_by("window", "version", maintain_order=True):
        found[str(window)] = [_feature(row) for row in rows.iter_rows(named=True)]
    return found


def profiles_of(tables: DriftTables, window: str) -> tuple[Profile, Profile]:
    """The reference's profile and the window's own, of the newest champion that the window was judged against."""
    judged = delta.scan(tables.drift).filter(pl.col("window") == window).select("version").unique().collect()
    version = max(judged["version"].to_list(), key=int)
    stored = delta.scan(tables.references).filter(pl.col("version") == version).drop("version").collect()
    return from_frame(stored), _window_profile(tables.profiles, version, window)
