"""Delta tables of windows: written window by window, read from the newest back, at a cost that does not grow with age.

Each period is a partition: it gains files while it lasts, and they are compacted once it is over. The log's statistics
say which files contain a window, and only those are read.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import polars as pl

from mlops_assets.lake import delta
from mlops_assets.lake.errors import LakeError
from mlops_assets.lake.maintenance import maintain
from mlops_assets.lake.sql import quoted
from mlops_assets.lake.writing import CHECKPOINT

PERIOD = "period"
FIRST_READ, FURTHER = 2, 4  # windows read first, and the factor by which each further read grows
FEW = 8  # files that a finished period may have before it is compacted; late rows add some
INDEXED = ("window", "batch", "labelled")  # columns with statistics in the log; more of them would slow every reader
ALL = pl.lit(True)


def period_of(window: str) -> str:
    """The month of an hour or a day, the year of a week or a month."""
    return window[:7] if window.count("-") == 2 else window[:4]


def append_windows(
    table: str,
    rows: pl.DataFrame,
    *,
    keys: Sequence[str] = (),
    transactions: Mapping[str, int],
    seen: Mapping[str, int | None] | None = None,
) -> None:
    """Append the rows of one or more windows; the table is partitioned by `keys` and the period of `window`.

    Raises:
        Overtaken: the table's transactions are not those that the writer has `seen`.
    """
    delta.append(
        table,
        _with_period(rows),
        transactions=transactions,
        seen=seen,
        partition_by=[*keys, PERIOD],
        properties=_properties(rows),
    )
    _compact_finished_periods(table)


def replace_windows(
    table: str, rows: pl.DataFrame, *, keys: Mapping[str, str] | None = None, transactions: Mapping[str, int]
) -> None:
    """Replace all rows of the same windows and values of `keys` with these; if there are none, only the transactions
    are recorded.
    """
    with_period, constants = _with_period(rows), keys or {}
    if with_period.is_empty():
        delta.append(
            table,
            with_period,
            transactions=transactions,
            partition_by=[*constants, PERIOD],
            properties=_properties(rows),
        )
        return
    replaced = {name: [value] for name, value in constants.items()}
    replaced |= {name: with_period[name].unique().sort().to_list() for name in (PERIOD, "window")}
    delta.overwrite(
        table,
        with_period,
        transactions=transactions,
        partition_by=[*constants, PERIOD],
        where=" AND ".join(f"{name} IN ({', '.join(map(quoted, values))})" for name, values in replaced.items()),
        properties=_properties(rows),
    )
    _compact_finished_periods(table)


def read_windows(table: str, windows: Sequence[str], kept: pl.Expr = ALL) -> pl.DataFrame:
    """The rows of these windows; an empty frame without columns if there is no table."""
    files = _files(table, None)
    if files.is_empty() or not windows:
        return pl.DataFrame()
    period = pl.col(f"partition.{PERIOD}").is_in({period_of(window) for window in windows})
    within = pl.col("min.window").le(max(windows)) & pl.col("max.window").ge(min(windows))
    return _rows(table, files.filter(period & within), pl.col("window").is_in(list(windows)) & kept)


def read_back(
    table: str,
    enough: Callable[[pl.DataFrame], bool],
    kept: pl.Expr = ALL,
    version: str | None = None,
    *,
    telling: pl.Expr = ALL,
) -> pl.DataFrame:
    """The rows of the newest windows, oldest first, reading further back until they are `enough`; an empty frame
    without columns if there is no table. Beyond the first windows, only files whose statistics in the log
    (`max.labelled`) match `telling` are read.
    """
    files = _files(table, version)
    if files.is_empty():
        return pl.DataFrame()
    starts = _starts(files)
    newest = pl.col("max.window") >= starts[-FIRST_READ:][0]
    # Older tables lack these statistics.
    if set(telling.meta.root_names()) <= set(files.columns):
        files = files.filter(newest | telling)
        starts = _starts(files)
    count = FIRST_READ
    while True:
        oldest = starts[-min(count, len(starts))]
        newer = files.filter(pl.col("max.window") >= oldest)
        rows = _rows(table, newer, (pl.col("window") >= oldest) & kept).sort("window", maintain_order=True)
        if count >= len(starts) or (rows.height and enough(rows)):
            return rows
        count *= FURTHER


def _starts(files: pl.DataFrame) -> list[str]:
    return files["min.window"].unique().sort().to_list()


def newest_windows(rows: pl.DataFrame, count: int) -> pl.DataFrame:
    """The rows of the last `count` windows, in their order."""
    return rows.filter(pl.col("window").rank("dense", descending=True) <= count) if rows.height else rows


def newest_of(table: str, column: str, version: str) -> int | None:
    """The largest number in a column, from the table's log."""
    files = _files(table, version)
    largest = None if files.is_empty() else files[f"max.{column}"].max()
    return None if largest is None else int(largest)  # type: ignore[arg-type]


def _properties(rows: pl.DataFrame) -> dict[str, str]:
    """The table's properties; without a change data feed, which nothing reads."""
    columns = ",".join(name for name in INDEXED if name in rows.columns)
    return {"delta.checkpointInterval": str(CHECKPOINT), "delta.dataSkippingStatsColumns": columns}


def _compact_finished_periods(table: str) -> None:
    """Compact the table if a partition of a finished period has more than FEW files."""
    parts = delta.files(table).select(pl.col(f"partition.{PERIOD}").alias(PERIOD), pl.col("^partition\\..*$"))
    newest = parts[PERIOD].max()
    if any(files > FEW and period != newest for (period, *_), files in Counter(parts.iter_rows()).items()):
        maintain(table)


def _files(table: str, version: str | None) -> pl.DataFrame:
    files = delta.files(table)
    if not files.is_empty() and f"partition.{PERIOD}" not in files.columns:
        folder = table.rpartition("/")[0]
        raise LakeError(
            f"{folder} has monitoring tables in the layout of an earlier version of mlops_assets: move the folder "
            "away, and the next run measures the windows again"
        )
    return files if files.is_empty() or version is None else files.filter(pl.col("partition.version") == version)


def _rows(table: str, files: pl.DataFrame, kept: pl.Expr) -> pl.DataFrame:
    return delta.rows_of(table, files).filter(kept).drop(PERIOD).collect()


def _with_period(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(pl.col("window").map_elements(period_of, pl.String).alias(PERIOD))
