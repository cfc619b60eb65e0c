"""Which replayed rows have been overtaken: their key arrived again, later, and that row went on."""

from datetime import datetime
from typing import TYPE_CHECKING

import polars as pl

from mlops_assets.lake import delta
from mlops_assets.lake.shape import ROW, arrived, shape

if TYPE_CHECKING:
    from mlops_assets.config import DataConfig

ORDER, IDENTITY = ("_ingested_at", "_row_id"), ["_source_file", "_row_id"]


def superseded(
    config: "DataConfig",
    bronze: str,
    waiting: pl.DataFrame,
    chosen: pl.DataFrame,
    rows: pl.DataFrame,
    origin: pl.Series,
    as_of: datetime,
) -> pl.Series:
    """For each good row of a replay (`origin`: its place in `chosen`), whether bronze has a later row of its key that
    is not in quarantine itself.

    True only for tables with one row per key and no sequence column; the cost is that of the bronze rows since the
    oldest of `chosen`.
    """
    none_newer = pl.repeat(False, rows.height, eager=True)
    if config.mode != "merge" or config.sequence or rows.is_empty():
        return none_newer
    good = rows.select(config.primary_keys).with_columns(_arrival(chosen, origin).alias("mine"))
    newest = _arrivals(config, bronze, waiting, chosen, as_of)
    found = good.join(newest, on=config.primary_keys, how="left", maintain_order="left")
    return (found["newest"] > found["mine"]).fill_null(False)


def _arrivals(
    config: "DataConfig", bronze: str, waiting: pl.DataFrame, chosen: pl.DataFrame, as_of: datetime
) -> pl.DataFrame:
    """The keys of bronze rows since the oldest of `chosen`, except quarantined ones, each with its newest arrival."""
    quarantined = pl.concat([waiting.select(IDENTITY), chosen.select(IDENTITY)])
    since = delta.scan(bronze).filter(pl.col("_ingested_at") >= chosen["_ingested_at"].min())
    later = since.join(quarantined.lazy(), on=IDENTITY, how="anti", maintain_order="left").collect()
    shaped = shape(config, arrived(config, later), as_of).frame
    arrival = _arrival(later, shaped[ROW]).alias("newest")
    return shaped.select(config.primary_keys).with_columns(arrival).group_by(config.primary_keys).agg(pl.max("newest"))


def _arrival(rows: pl.DataFrame, origin: pl.Series) -> pl.Series:
    """The arrival order of the rows at `origin`, as a string that sorts by it."""
    return rows.select(
        pl.format(
            "{} {}",
            pl.col("_ingested_at").dt.epoch("us").cast(pl.String).str.zfill(20),
            pl.col("_row_id").cast(pl.String).str.zfill(20),
        )
    ).to_series()[origin]
