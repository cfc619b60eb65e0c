"""The same work by hand: Polars and delta-rs as a person would write them for these rules, without a document."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
from deltalake import DeltaTable, write_deltalake

BATCH = 2_000_000
PROPERTIES = {"delta.enableChangeDataFeed": "true"}
SHOPS = ["north", "south", "west"]
RULES = {
    "positive": pl.col("amount") > 0,
    "a_shop": pl.col("shop").is_in(SHOPS),
    "a_day": pl.col("day").is_not_null(),
    "small": (pl.col("amount") < 1000) | pl.col("vip"),
}


def to_bronze(source: Path, bronze: str) -> None:
    """Each file with where and when it arrived."""
    for file in sorted(source.glob("*.parquet")):
        rows = pl.scan_parquet(file).with_row_index("_row_id")
        stamped = rows.select(
            pl.exclude("_row_id"),
            pl.lit(file.name).alias("_source_file"),
            pl.lit(datetime.now(UTC)).dt.cast_time_unit("us").alias("_ingested_at"),
            pl.col("_row_id").cast(pl.Int64),
        )
        stamped.sink_delta(bronze, mode="append", delta_write_options={"configuration": PROPERTIES})


def to_silver(bronze: str, silver: str, quarantine: str) -> None:
    """Bronze's files in batches: trimmed, judged, shared out."""
    for file in sorted(DeltaTable(bronze).file_uris()):
        height = pl.scan_parquet(file).select(pl.len()).collect().item()
        for offset in range(0, height, BATCH):
            rows = pl.scan_parquet(file).slice(offset, BATCH).collect()
            shaped = rows.drop("_source_file", "_ingested_at", "_row_id").with_columns(
                pl.col("shop").str.strip_chars(" \t\r\n")
            )
            _shared_out(rows, shaped, silver, quarantine)


def _shared_out(rows: pl.DataFrame, shaped: pl.DataFrame, silver: str, quarantine: str) -> None:
    holds = shaped.select(rule.fill_null(False).alias(name) for name, rule in RULES.items())
    good = holds.select(pl.all_horizontal(pl.all())).to_series()
    failed = holds.filter(~good).select(
        pl.concat_list(pl.when(~pl.col(name)).then(pl.lit(name)) for name in RULES).list.drop_nulls()
    )
    bad = rows.filter(~good).with_columns(failed.to_series().alias("_failed_rules"), pl.lit("run").alias("_run_id"))
    write_deltalake(quarantine, bad, mode="append", configuration=PROPERTIES)
    write_deltalake(silver, shaped.filter(good), mode="append", configuration=PROPERTIES)


def merge(table: str, rows: pl.DataFrame) -> None:
    """Rows by key into a table."""
    merger = DeltaTable(table).merge(
        rows, "target.id = source.id", source_alias="source", target_alias="target", streamed_exec=False
    )
    merger.when_matched_update_all().when_not_matched_insert_all().execute()
