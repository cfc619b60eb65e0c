"""Delta tables of windows: written window by window, read from the newest back, at a cost that does not grow with age.

A period's windows lie together: while the period lasts, a file a window, afterwards one file for all. Where a window
lies is read from the log's statistics, and of the files only those that are asked for.
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
FIRST_READ, FURTHER = 2, 4  # windows that are read first, and how many times as many next
FEW = 8  # files of a period that is over; late rows make more, until they are put together
INDEXED = ("window", "batch", "labelled")  # what the log says of each file; what more it said would cost every reader
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
    """Add the rows (column window, and `keys` that part the files besides) of one or more windows.

    Raises:
        Overtaken: the table does not say what the writer has `seen` of its transactions.
    """
    delta.append(
        table,
        _placed(rows),
        transactions=transactions,
        seen=seen,
        partition_by=[*keys, PERIOD],
        properties=_properties(rows),
    )
    _compact_finished_periods(table)


def replace_windows(
    table: str, rows: pl.DataFrame, *, keys: Mapping[str, str] | None = None, transactions: Mapping[str, int]
) -> None:
    """Put the rows in the place of all that the table holds of their windows, and of the values of `keys`; of no rows,
    only the transactions are recorded.
    """
    placed, held = _placed(rows), keys or {}
    if placed.is_empty():
        delta.append(
            table,
            placed,
            transactions=transactions,
            partition_by=[*held, PERIOD],
            properties=_properties(rows),
        )
        return
    wanted = {name: [value] for name, value in held.items()}
    wanted |= {name: placed[name].unique().sort().to_list() for name in (PERIOD, "window")}
    delta.overwrite(
        table,
        placed,
        transactions=transactions,
        partition_by=[*held, PERIOD],
        where=" AND ".join(f"{name} IN ({', '.join(map(quoted, values))})" for name, values in wanted.items()),
        properties=_properties(rows),
    )
    _compact_finished_periods(table)


def read_windows(table: str, windows: Sequence[str], kept: pl.Expr = ALL) -> pl.DataFrame:
    """The rows of these windows; no row, and no column, where there is no table."""
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
    """The rows of the newest windows, read further and further back until they are `enough`, oldest first; no row, and
    no column, where there is no table. Behind the first windows only files are read that are `telling`, by what the
    log says of them (`max.labelled`).
    """
    files = _files(table, version)
    if files.is_empty():
        return pl.DataFrame()
    starts = _starts(files)
    newest = pl.col("max.window") >= starts[-FIRST_READ:][0]
    # A table that was begun before the log said so says it of no file.
    if set(telling.meta.root_names()) <= set(files.columns):
        files = files.filter(newest | telling)
        starts = _starts(files)
    count = FIRST_READ
    while True:
        oldest = starts[-min(count, len(starts))]
        newer = files.filter(pl.col("max.window") >= oldest)
        found = _rows(table, newer, (pl.col("window") >= oldest) & kept).sort("window", maintain_order=True)
        if count >= len(starts) or (found.height and enough(found)):
            return found
        count *= FURTHER


def _starts(files: pl.DataFrame) -> list[str]:
    return files["min.window"].unique().sort().to_list()


def newest_windows(rows: pl.DataFrame, count: int) -> pl.DataFrame:
    """Of rows in the order of their windows, those of the last windows."""
    return rows.filter(pl.col("window").rank("dense", descending=True) <= count) if rows.height else rows


def newest_of(table: str, column: str, version: str) -> int | None:
    """The largest number in a column, from the table's log."""
    files = _files(table, version)
    largest = None if files.is_empty() else files[f"max.{column}"].max()
    return None if largest is None else int(largest)  # type: ignore[arg-type]


def _properties(rows: pl.DataFrame) -> dict[str, str]:
    """Those of a table that nobody follows by its changes: no feed is written."""
    columns = ",".join(name for name in INDEXED if name in rows.columns)
    return {"delta.checkpointInterval": str(CHECKPOINT), "delta.dataSkippingStatsColumns": columns}


def _compact_finished_periods(table: str) -> None:
    """Put the files of periods that are over together, once they are."""
    parts = delta.files(table).select(pl.col(f"partition.{PERIOD}").alias(PERIOD), pl.col("^partition\\..*$"))
    newest = parts[PERIOD].max()
    if any(files > FEW and period != newest for (period, *_), files in Counter(parts.iter_rows()).items()):
        maintain(table)


def _files(table: str, version: str | None) -> pl.DataFrame:
    files = delta.files(table)
    if not files.is_empty() and f"partition.{PERIOD}" not in files.columns:
        folder = table.rpartition("/")[0]
        raise LakeError(
            f"{folder} holds tables of a monitor as an earlier version of mlops_assets laid them out: move that folder "
            "away, and the next run measures the windows anew"
        )
    return files if files.is_empty() or version is None else files.filter(pl.col("partition.version") == version)


def _rows(table: str, files: pl.DataFrame, kept: pl.Expr) -> pl.DataFrame:
    return delta.rows_of(table, files).filter(kept).drop(PERIOD).collect()


def _placed(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(pl.col("window").map_elements(period_of, pl.String).alias(PERIOD))
