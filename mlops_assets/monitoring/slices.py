"""Slices: parts of the rows that are judged separately, such as those of one airport, because drift in a small part
can be invisible in the whole.
"""

from collections.abc import Mapping, Sequence

import polars as pl

from mlops_assets.monitoring.profile import Profile, Reference, summarise

WHOLE = ""
MOST_LEVELS = 20  # of a column; rarer ones are judged with the whole only


def sliced_name(feature: str, part: str) -> str:
    """A feature's name in a slice: `temp [origin=EWR]`."""
    return f"{feature} [{part}]" if part else feature


def split_name(name: str) -> tuple[str, str]:
    """Feature and slice of a name that `sliced_name` made."""
    feature, found, part = name.partition(" [")
    return (feature, part.removesuffix("]")) if found else (name, WHOLE)


def renamed(name: str, feature: str) -> str:
    """The name with another feature in the same slice."""
    return sliced_name(feature, split_name(name)[1])


def slice_rows(rows: pl.DataFrame, columns: Sequence[str], *, at_least: int) -> dict[str, pl.DataFrame]:
    """All rows, and the rows of each slice: a column's most common levels with `at_least` rows."""
    found = {WHOLE: rows}
    for column in columns:
        levels = rows.select(pl.col(column).cast(pl.String).alias("level")).drop_nulls().to_series()
        counted = levels.value_counts(name="rows").sort(["rows", "level"], descending=[True, False]).head(MOST_LEVELS)
        for level in counted.filter(pl.col("rows") >= at_least)["level"]:
            found[f"{column}={level}"] = rows_of(rows, f"{column}={level}")
    return found


def profiles(rows: pl.DataFrame, references: Mapping[str, Reference]) -> dict[str, Profile]:
    """The rows of each slice that has a reference, counted into that reference's bins."""
    return {name: summarise(rows_of(rows, name), reference) for name, reference in references.items()}


def column_of(part: str) -> str | None:
    """The column that a slice is cut by; None of the whole."""
    return part.partition("=")[0] or None


def rows_of(rows: pl.DataFrame, part: str) -> pl.DataFrame:
    """The rows of a slice."""
    if not part:
        return rows
    column, _, level = part.partition("=")
    return rows.filter(pl.col(column).cast(pl.String) == level)
