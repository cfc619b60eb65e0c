"""Rows of a window as they came to the feature table's source: those that passed its rules, and those that did not."""

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

REPLAYED = "_replay"  # of a row that has left the quarantine


def arrived(
    project: Project,
    documents: ModelDocuments,
    config: MonitoringConfig,
    lake: Warehouse,
    window: str,
    parts: Sequence[str],
) -> list[Arrived]:
    """How many rows came in a window, and in those of its slices `parts` whose column is in the quarantine too, which
    holds rows as they came. None where the source is no table of rules, or no time says which window its rows are of.
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
        Arrived(ref.table, slices.of(sound, part).height + left, left, part)
        for part in parts
        if all(slices.column_of(part) in (None, *frame.columns) for frame in (sound, broken))
        for left in [slices.of(broken, part).height]
    ]


def _rows_in(path: str, time: str, config: MonitoringConfig, zone: str, window: str) -> pl.DataFrame | None:
    """Time and columns of the slices of the rows in a window; a quarantine's time may be the text that it came as."""
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
    own = rows.filter(whole_windows(time, last, config.window, zone))
    return own.select(cs.by_name(time, *config.slices, require_all=False)).collect()
