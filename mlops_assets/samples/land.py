"""Writing an example's source: each file or commit once, whole or not at all, never over one that is there."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from glob import has_magic
from pathlib import Path

import polars as pl
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake

from mlops_assets.samples import churn, nycflights13
from mlops_assets.samples.errors import SampleError


@dataclass(frozen=True)
class Daily:
    """Example data that is drawn day by day; `delta` says that a day is a commit of a Delta table, else it is a CSV
    file.
    """

    draw: Callable[[date, int], pl.DataFrame]
    days: tuple[date, date]
    delta: bool


DAILY = {
    "churn.customer_data": Daily(churn.customer_data, (churn.FIRST, churn.LAST), delta=True),
    "churn.baseline": Daily(churn.customer_data, churn.BASELINE, delta=True),
    "churn.customers": Daily(churn.customers, (churn.FIRST, churn.LAST), delta=False),
}
SAMPLES = (*(f"nycflights13.{table}" for table in nycflights13.TABLES), *DAILY)


def land(dataset: str, location: str, through: str | None = None, rows: int | None = None) -> list[Path]:
    """Write what of `dataset` (one of SAMPLES) is not at `location` yet, up to a month (YYYY-MM) or day (YYYY-MM-DD),
    `rows` a day where it is drawn. Returns the files written; of a Delta table, its folder once a commit.

    Raises:
        SampleError: there is no such dataset, `through` is no day, or `rows` are asked of real data.
    """
    if dataset not in SAMPLES:
        raise SampleError(f"no example data '{dataset}'; there are {', '.join(SAMPLES)}")
    if dataset in DAILY:
        return _land_days(DAILY[dataset], dataset.partition(".")[2], location, through, rows or churn.ROWS)
    if rows is not None:
        raise SampleError(f"rows: {dataset} is real data and has the rows that it has")
    table = dataset.removeprefix("nycflights13.")
    folder = _folder(location)
    missing = [name for name in nycflights13.file_names(table, through) if not (folder / name).exists()]
    if not missing:
        return []
    frames = nycflights13.source_files(table, through)
    return [_write_csv(frames[name], folder / name) for name in missing]


def _land_days(daily: Daily, name: str, location: str, through: str | None, rows: int) -> list[Path]:
    last = min(daily.days[1], _day(through)) if through else daily.days[1]
    write = _commit if daily.delta else _day_file
    found = [write(daily, day, name, location, rows) for day in churn.days(daily.days[0], last)]
    return [path for path in found if path]


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise SampleError(f"through: '{text}' is no day; write it like 2024-01-31") from None


def _day_file(daily: Daily, day: date, name: str, location: str, rows: int) -> Path | None:
    path = _folder(location) / f"{name}-{day}.csv"
    return None if path.exists() else _write_csv(daily.draw(day, rows), path)


def _commit(daily: Daily, day: date, name: str, location: str, rows: int) -> Path | None:
    """One day's rows in one commit, which says so: days come in order, so that the newest says what is there."""
    if DeltaTable.is_deltatable(location):
        done = DeltaTable(location).transaction_version("day")
        if done is not None and done >= day.toordinal():
            return None
    commit = CommitProperties(app_transactions=[Transaction("day", day.toordinal())])
    write_deltalake(location, daily.draw(day, rows), mode="append", commit_properties=commit)
    return Path(location)


def _write_csv(frame: pl.DataFrame, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.part")
    frame.write_csv(unfinished)
    return unfinished.rename(path)


def _folder(location: str) -> Path:
    path = Path(location)
    return path.parent if has_magic(path.name) or path.suffix else path
