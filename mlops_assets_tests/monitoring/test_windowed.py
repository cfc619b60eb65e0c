from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from mlops_assets.lake import delta
from mlops_assets.lake.errors import LakeError
from mlops_assets.monitoring import windowed

DAYS = [str(date(2024, 1, 1) + timedelta(days=day)) for day in range(40)]


@pytest.fixture
def table(tmp_path: Path) -> str:
    return str(tmp_path / "table")


def of(window: str, value: int = 1, version: str = "1") -> pl.DataFrame:
    return pl.DataFrame({"window": [window, window], "version": version, "value": [value, value]})


def replace(table: str, rows: pl.DataFrame) -> None:
    windowed.replace_windows(table, rows, keys={"version": rows["version"][0]}, transactions={})


def everything(rows: pl.DataFrame) -> bool:
    return False


@pytest.fixture
def year(table: str) -> str:
    for day in DAYS:
        replace(table, of(day))
    return table


def test_the_windows_of_a_month_that_is_over_lie_in_one_file_and_none_is_lost(year: str) -> None:
    files = delta.files(year)
    held = dict(files.group_by("partition.period").len().iter_rows())
    assert held == {"2024-01": 1, "2024-02": 9}
    found = windowed.read_back(year, everything)
    assert found["window"].to_list() == [day for day in DAYS for _ in range(2)]


def test_one_window_of_a_month_that_is_over_is_replaced_and_its_neighbours_stay(year: str) -> None:
    replace(year, of("2024-01-10", value=2))
    replace(year, of("2024-01-10", value=3, version="2"))
    found = windowed.read_back(year, everything)
    assert found.height == 2 * len(DAYS) + 2
    changed = found.filter(pl.col("value") != 1).sort("version")
    assert changed.select("window", "version", "value").unique().sort("version").rows() == [
        ("2024-01-10", "1", 2),
        ("2024-01-10", "2", 3),
    ]


def test_behind_the_newest_windows_only_files_are_read_that_the_log_calls_telling(table: str) -> None:
    for day, labelled in zip(DAYS[:6], (0, 600, 0, 0, 0, 0), strict=True):
        replace(table, of(day).with_columns(labelled=pl.lit(labelled)))
    found = windowed.read_back(table, everything, telling=pl.col("max.labelled") >= 500)
    assert found["window"].unique().sort().to_list() == [DAYS[1], *DAYS[4:6]]
    unheard = windowed.read_back(table, everything, telling=pl.col("max.value") >= 500)
    assert unheard["window"].n_unique() == 6


def test_what_is_read_back_ends_where_it_is_enough(year: str) -> None:
    asked: list[int] = []

    def three(rows: pl.DataFrame) -> bool:
        asked.append(rows["window"].n_unique())
        return asked[-1] >= 3

    found = windowed.read_back(year, three)
    assert asked == [2, 8]
    assert windowed.newest_windows(found, 3)["window"].unique().sort().to_list() == DAYS[-3:]


@pytest.mark.parametrize(
    ("window", "period"),
    [("2024-01-31T05", "2024-01"), ("2024-01-31", "2024-01"), ("2024-W05", "2024"), ("2024-01", "2024")],
)
def test_hours_and_days_lie_together_by_the_month_weeks_and_months_by_the_year(window: str, period: str) -> None:
    assert windowed.period_of(window) == period


def test_of_a_table_that_is_not_there_nothing_is_read(table: str) -> None:
    assert windowed.read_back(table, everything).is_empty()
    assert windowed.read_windows(table, ["2024-01-01"]).is_empty()


def test_a_table_of_another_layout_is_named_with_what_to_do(table: str) -> None:
    delta.append(table, of(DAYS[0]), transactions={}, partition_by=["version"])
    with pytest.raises(LakeError, match="move the folder away"):
        windowed.read_back(table, everything)
