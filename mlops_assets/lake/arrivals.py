"""Bronze's rows, stretch by stretch, with Polars."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING

import polars as pl

from mlops_assets.lake import delta
from mlops_assets.lake.batch import ADDED_COLUMNS
from mlops_assets.lake.foreign import opened, still_there
from mlops_assets.lake.new_rows import appended_rows
from mlops_assets.lake.shape import ROW, arrived, shape
from mlops_assets.lake.stretches import PARTITION, Stretch

if TYPE_CHECKING:
    from mlops_assets.config import DataConfig

IDENTITY = ["_source_file", "_row_id"]
BATCH = 500_000
RUNS = 1000


def arrivals(path: str, stretch: Stretch) -> pl.DataFrame:
    """A stretch's rows in the order of their arrival.

    Raises:
        LakeError: their files are gone.
    """
    with still_there(path):
        return _arrivals(path, stretch)


def _arrivals(path: str, stretch: Stretch) -> pl.DataFrame:
    if stretch.corrects:
        return _feed(path, stretch, "insert")
    if stretch.files is None:
        rows = delta.scan(path, stretch.end.version)
        if stretch.parted:
            rows = rows.filter(pl.col(PARTITION).eq_missing(pl.lit(stretch.partition, pl.String)))
        return _plain(rows.collect()).sort("_ingested_at", *IDENTITY)
    rows = appended_rows(delta.required(path), stretch.files)
    if stretch.skip or stretch.take is not None:
        last = None if stretch.take is None else stretch.skip + stretch.take
        rows = rows.filter(pl.col("_row_id") >= stretch.skip, True if last is None else pl.col("_row_id") < last)
    return _in_order(_plain(rows.collect()))


def _in_order(rows: pl.DataFrame) -> pl.DataFrame:
    """By arrival: a writer may have stored batches as they came."""
    if rows["_ingested_at"].n_unique() != 1:
        return rows.sort("_ingested_at", *IDENTITY)
    return rows if rows["_row_id"].is_sorted() else _put_together(rows)


def _put_together(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows in the order of `_row_id`, if stored in few runs that each ascend by one: cheaper than sorting."""
    numbers = rows["_row_id"]
    starts = [0, *(1 + (numbers.diff().slice(1) != 1).arg_true())]
    if len(starts) > RUNS:
        return rows.sort("_row_id")
    parts = [rows[start:end] for start, end in zip(starts, [*starts[1:], rows.height], strict=True)]
    return pl.concat(sorted(parts, key=lambda part: part["_row_id"][0]))


def _plain(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.drop(PARTITION, strict=False)


def _feed(path: str, stretch: Stretch, kind: str) -> pl.DataFrame:
    """The rows that a correcting version put in (`insert`) or took out (`delete`)."""
    number = stretch.end.version
    feed = pl.DataFrame(opened(path).load_cdf(starting_version=number, ending_version=number))
    rows = feed.filter(pl.col("_change_type") == kind).select(list(delta.schema(path, number)))
    return delta.normalised(_plain(rows)).sort(*IDENTITY)


def corrected(path: str, stretch: Stretch) -> Sequence[str]:
    """The source files whose rows a correcting stretch takes the place of."""
    return sorted({*_feed(path, stretch, "delete")["_source_file"], *_feed(path, stretch, "insert")["_source_file"]})


def without(frame: pl.DataFrame, path: str) -> pl.DataFrame:
    """The rows of a frame that are not in the table at `path`, by `_source_file` and `_row_id`."""
    if not delta.exists(path):
        return frame
    names = frame["_source_file"].unique()
    present = delta.scan(path).select(IDENTITY).filter(pl.col("_source_file").is_in(names.implode())).collect()
    return frame.join(present, on=IDENTITY, how="anti", maintain_order="left")


def with_vanished(
    config: "DataConfig", frame: pl.DataFrame, bronze: str, quarantine: str, stretch: Stretch
) -> pl.DataFrame:
    """What a merge must write for the rows of a correcting stretch."""
    keys = config.primary_keys
    before = _shaped(config, _feed(bronze, stretch, "delete")).select(keys).unique()
    vanished = before.join(frame, on=keys, how="anti")
    if vanished.is_empty():
        return frame.with_columns(pl.lit(False).alias("_gone"))
    left = _newest(config, bronze, quarantine, stretch, vanished)
    nowhere = vanished.join(left, on=keys, how="anti")
    return pl.concat(
        [
            frame.with_columns(pl.lit(False).alias("_gone")),
            left.with_columns(pl.lit(None, pl.Boolean).alias("_gone")),
            nowhere.with_columns(pl.lit(True).alias("_gone")),
        ],
        how="diagonal_relaxed",
    )


def _newest(config: "DataConfig", bronze: str, quarantine: str, stretch: Stretch, keys: pl.DataFrame) -> pl.DataFrame:
    """Of each of `keys` the newest good row that bronze has; all of bronze is read for them, in batches."""
    found, every = [], delta.scan(bronze, stretch.end.version)
    # A table without rows comes in no batch at all.
    for rows in chain([every.clear().collect()], every.collect_batches(chunk_size=BATCH)):
        went_on = without(_plain(rows), quarantine)
        order = went_on.select("_ingested_at", *IDENTITY)
        shaped = _shaped(config, went_on, keep=True).join(keys, on=config.primary_keys, how="semi")
        found.append(pl.concat([shaped.drop(ROW), order[shaped[ROW]]], how="horizontal"))
    order_by = [*([config.sequence] if config.sequence else []), "_ingested_at", *IDENTITY]
    newest = (
        pl.concat(found).sort(order_by, nulls_last=False).unique(config.primary_keys, keep="last", maintain_order=True)
    )
    return newest.drop(set(ADDED_COLUMNS) - {config.sequence})


def _shaped(config: "DataConfig", rows: pl.DataFrame, *, keep: bool = False) -> pl.DataFrame:
    shaped = shape(config, arrived(config, rows), datetime.now(UTC)).frame
    return shaped if keep else shaped.drop(ROW)
