"""The table of quarantined rows: what arrived, what it broke, and the marks of the replay that a row left with."""

from collections.abc import Mapping

import polars as pl

from mlops_assets.lake import delta

REPLAY = "replay"  # the transaction that a quarantine and its silver table record
IDENTITY = ("_source_file", "_row_id")
FINDINGS = ("_failed_rules", "_run_id")
MARKS = pl.Schema(
    {
        "_replay": pl.Int64(),
        "_replayed_at": pl.Datetime("us", "UTC"),
        "_replayed_run": pl.String(),
        "_released": pl.List(pl.String()),
        "_repair": pl.String(),
    }
)


def waiting(path: str) -> pl.DataFrame:
    """The rows of a quarantine that have not been replayed, in the order of their arrival."""
    if not delta.exists(path):
        return pl.DataFrame()
    rows = delta.scan(path)
    if "_replay" in rows.collect_schema():
        rows = rows.filter(pl.col("_replay").is_null()).drop(MARKS.names())
    return rows.sort("_ingested_at", *IDENTITY).collect()


def waiting_rows(path: str) -> int:
    """How many rows of a quarantine have not been replayed."""
    if not delta.exists(path):
        return 0
    if "_replay" not in delta.schema(path):
        return delta.rows(path)
    return int(delta.scan(path).filter(pl.col("_replay").is_null()).select(pl.len()).collect().item())


def mark(path: str, rows: pl.DataFrame, marks: Mapping[str, object]) -> None:
    """Set the marks of rows; None everywhere takes them off again."""
    if "_replay" not in delta.schema(path):
        # A commit of its own: columns without values change no row.
        delta.append(
            path, rows.clear().with_columns(_constants(dict.fromkeys(MARKS))), transactions={}, add_columns=True
        )
    number = marks["_replay"]
    transactions = {REPLAY: number} if isinstance(number, int) else {}
    delta.merge(path, rows.with_columns(_constants(marks)), keys=IDENTITY, transactions=transactions)


def _constants(values: Mapping[str, object]) -> list[pl.Expr]:
    return [pl.lit(values[name], dtype).alias(name) for name, dtype in MARKS.items()]
