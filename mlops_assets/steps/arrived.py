"""Rows of a window that arrived at the features' source: those that passed its rules, and those that did not."""

from collections.abc import Sequence
from datetime import UTC, timedelta

import polars as pl
import polars.selectors as cs

from mlops_assets.config import MonitoringConfig, Project
from mlops_assets.config.lineage import ModelDocuments
from mlops_assets.config.tables import resolve_table
from mlops_assets.lake import delta
from mlops_assets.lake.locations import Warehouse
from mlops_assets.lake.types import cast
from mlops_assets.monitoring import slices
from mlops_assets.monitoring.quality import Arrived
from mlops_assets.monitoring.windows import end_of, whole_windows

REPLAYED = "_replay"  # set on a row that has been replayed from the quarantine


def arrived(
    project: Project,
    documents: ModelDocuments,
    config: MonitoringConfig,
    lake: Warehouse,
    window: str,
    parts: Sequence[str],
) -> list[Arrived]:
    """The number of rows that arrived in a window, for each of its slices `parts` whose column the quarantine has.

    Empty if the source is not a silver table, or has no time to assign its rows to windows.
    """
    time = documents.features.config.timestamp_column
    ref = resolve_table(project, documents.features.config.source_table)
    if ref is None or ref.layer != "silver":
        return []
    silver, quarantine = (lake.table(project.name, ref.layer, f"{ref.table}{end}") for end in ("", "_quarantine"))
    sound = _rows_in(silver, time, config, project.timezone, window)
    if sound is None:
        return []
    broken = _rows_in(quarantine, time, config, project.timezone, window) if delta.rows(quarantine) else sound.clear()
    if broken is None:
        return []
    return [
        Arrived(ref.table, slices.rows_of(sound, part).height + left, left, part)
        for part in parts
        if all(slices.column_of(part) in (None, *frame.columns) for frame in (sound, broken))
        for left in [slices.rows_of(broken, part).height]
    ]


def _rows_in(path: str, time: str, config: MonitoringConfig, zone: str, window: str) -> pl.DataFrame | None:
    """Time and slice columns of the rows in a window; in the quarantine the time may still be text."""
    columns = delta.schema(path) if delta.exists(path) else {}
    kind = columns.get(time, pl.Null())
    if not kind.is_temporal() and kind != pl.String:
        return None
    rows = delta.scan(path)
    if kind == pl.String:
        rows = rows.with_columns(cast(time, kind, "datetime"))
    if REPLAYED in columns:
        rows = rows.filter(pl.col(REPLAYED).is_null())
    last = pl.Series([end_of(window, zone).astimezone(UTC) - timedelta(microseconds=1)])
    if kind != pl.String and not getattr(kind, "time_zone", None):
        last = last.dt.replace_time_zone(None)
    in_window = rows.filter(whole_windows(time, last, config.window, zone))
    return in_window.select(cs.by_name(time, *config.slices, require_all=False)).collect()
