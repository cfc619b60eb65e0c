"""Which of a document's partitions a source row belongs to: the key that Dagster gives to runs."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl

from mlops_assets.config.partitions import instant
from mlops_assets.lake.types import cast

if TYPE_CHECKING:
    from mlops_assets.config import DataConfig
    from mlops_assets.config.partitions import PartitionsConfig

FORMATS = {"hourly": "%Y-%m-%d-%H:%M", "daily": "%Y-%m-%d", "weekly": "%Y-%m-%d", "monthly": "%Y-%m-%d"}
_LENGTHS = {"hourly": "1h", "daily": "1d", "weekly": "1w", "monthly": "1mo"}


def partition_key(config: "DataConfig", schema: pl.Schema) -> pl.Expr:
    """The key of each row's partition; null where its column is null, unreadable or outside of the partitions."""
    parts = config.partitions
    assert parts is not None
    if not parts.timed:
        text = pl.col(parts.column).cast(pl.String)
        return pl.when(text.is_in(parts.keys)).then(text) if parts.keys else text
    return _window(_moment(config, parts.column, schema), parts).dt.to_string(FORMATS[parts.type])


def window_key(moment: pl.Expr, parts: "PartitionsConfig") -> pl.Expr:
    """The key of the stretch of time that an instant lies in, null outside of all; instants without a zone are UTC."""
    return _window(moment.cast(pl.Datetime("us", "UTC")), parts).dt.to_string(FORMATS[parts.type])


def window_end(key: str, parts: "PartitionsConfig") -> datetime:
    """The instant at which the stretch of time of a key is over."""
    start = pl.lit(datetime.strptime(key, FORMATS[parts.type]).replace(tzinfo=UTC))
    end: datetime = pl.select(start.dt.offset_by(_LENGTHS[parts.type])).item()
    return end


def _moment(config: "DataConfig", column: str, schema: pl.Schema) -> pl.Expr:
    kind = "date" if config.columns.get(column) == "date" or schema[column] == pl.Date else "datetime"
    formats = {"date": config.reader.date_format, "datetime": config.reader.datetime_format}
    moment = cast(column, schema[column], kind, format=formats[kind])
    return moment.cast(pl.Datetime("us")).dt.replace_time_zone("UTC") if kind == "date" else moment


def _window(moment: pl.Expr, parts: "PartitionsConfig") -> pl.Expr:
    """The start of each moment's window, weeks beginning on Sunday; null outside of start and end."""
    length = _LENGTHS[parts.type]
    weekly = parts.type == "weekly"
    start = (
        (moment.dt.offset_by("1d").dt.truncate(length).dt.offset_by("-1d")) if weekly else moment.dt.truncate(length)
    )
    within = start >= instant(parts.start or "")
    if parts.end:
        within &= start.dt.offset_by(length) <= instant(parts.end)
    return pl.when(within).then(start)
