"""The drift monitor's Delta tables, read so that a window costs its own rows, however many there are before it.

`references` holds each champion's training profile, `profiles` a batch of rows of one window against one champion
(batches add up), `drift` a verdict a champion, window and feature.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from mlops_assets.lake import delta
from mlops_assets.monitoring import windowed
from mlops_assets.monitoring.profile import Profile, Reference, from_frame, merge_profiles, to_frame
from mlops_assets.monitoring.verdict import FeatureDrift
from mlops_assets.monitoring.windows import of_length

BATCH = "predictions"  # the transaction that says which predictions are profiled
KEYS = ["version", "window"]

Profiles = Mapping[str, Profile]  # by slice


@dataclass(frozen=True)
class DriftTables:
    """Paths of the monitor's three tables."""

    references: str
    profiles: str
    drift: str


def read_references(table: str, version: str, basis: str) -> dict[str, Reference]:
    """A champion's references by slice; none where it has not been profiled yet on this `basis`."""
    if not delta.exists(table):
        return {}
    kept = (pl.col("version") == version) & (pl.col("basis") == basis)
    stored = delta.scan(table).filter(kept).drop("version", "basis").collect()
    return {name: Reference(profile) for name, profile in _by_slice(stored).items()}


def write_references(table: str, version: str, basis: str, references: Mapping[str, Reference]) -> None:
    """Keep a champion's references; `basis` says which rows, features and slices the document asks for.

    Raises:
        Overtaken: another run has kept them.
    """
    frames = [to_frame(found).with_columns(slice=pl.lit(name)) for name, found in references.items()]
    rows = pl.concat(frames).with_columns(version=pl.lit(version), basis=pl.lit(basis))
    once = f"reference:{version}:{hashlib.sha256(basis.encode()).hexdigest()[:16]}"
    delta.append(table, rows, transactions={once: 1}, seen={once: None})


def append_profiles(
    table: str, version: str, batch_id: int, windows: Mapping[str, Profiles], *, after: int | None
) -> None:
    """Add the profiles of a batch, window by window: of the rows behind batch `after`, up to `batch_id`, which is
    recorded in the same commit.

    Raises:
        Overtaken: another run has profiled rows behind `after`.
    """
    frames = [
        to_frame(profile).with_columns(window=pl.lit(window), slice=pl.lit(name))
        for window, slices in windows.items()
        for name, profile in slices.items()
    ]
    rows = pl.concat(frames).with_columns(version=pl.lit(version), batch=pl.lit(batch_id, pl.Int64))
    windowed.append_windows(table, rows, keys=["version"], transactions={BATCH: batch_id}, seen={BATCH: after})


def newest_batch(table: str, version: str, length: str) -> list[str]:
    """The windows of a length in the champion's newest batch, in order."""
    newest = windowed.newest_of(table, "batch", version)
    if newest is None:
        return []
    own = (pl.col("version") == version) & (pl.col("batch") == newest) & of_length(length)
    return delta.scan(table).filter(own).select(pl.col("window").unique().sort()).collect()["window"].to_list()


def read_profiles(
    table: str, version: str, windows: Sequence[str], references: Mapping[str, Reference]
) -> dict[str, Profile]:
    """The profiles of all rows of these windows together, by slice, as far as they were counted into the bins of
    `references`.
    """
    ids = [found.reference_id for found in references.values()]
    kept = (pl.col("version") == version) & pl.col("reference_id").is_in(ids)
    stored = windowed.read_windows(table, windows, kept)
    if stored.is_empty():
        return {}
    parts = [_by_slice(part.drop(*KEYS, "batch")) for _, part in stored.group_by("window", "batch")]
    names = [name for name in references if any(name in part for part in parts)]
    return {name: merge_profiles(part[name] for part in parts if name in part) for name in names}


def replace_verdicts(table: str, version: str, judged: Mapping[str, Sequence[FeatureDrift]]) -> None:
    """Keep the verdicts of these windows in place of earlier ones of theirs."""
    fields = [{**vars(one), "version": version, "window": window} for window, all_ in judged.items() for one in all_]
    rows = pl.DataFrame(fields, infer_schema_length=None).with_columns(pl.col("p_adjusted").cast(pl.Float64))
    windowed.replace_windows(table, rows, keys={"version": version}, transactions={})


def read_verdicts(rows: pl.DataFrame) -> dict[str, list[FeatureDrift]]:
    """The features' verdicts by window, in the order of the rows."""
    return {
        str(window): [_feature(row) for row in part.iter_rows(named=True)]
        for (window,), part in rows.group_by("window", maintain_order=True)
    }


def _feature(row: dict[str, object]) -> FeatureDrift:
    return FeatureDrift(**{name: value for name, value in row.items() if name not in KEYS})  # type: ignore[arg-type]


def _by_slice(stored: pl.DataFrame) -> dict[str, Profile]:
    return {
        str(name): from_frame(part.drop("slice")) for (name,), part in stored.group_by("slice", maintain_order=True)
    }
