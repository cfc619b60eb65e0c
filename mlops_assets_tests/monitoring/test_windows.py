from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_assets.monitoring.windows import Clock, are_over, end_of, same_weekday, whole_windows, window_of

LENGTHS = ["hour", "day", "week", "month"]
ZONES = ["UTC", "America/New_York"]
instants = st.datetimes(datetime(2012, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("length", LENGTHS)
@given(times=st.lists(instants, min_size=1, max_size=4))
def test_a_window_ends_after_its_instants_and_the_next_begins_there(
    length: str, zone: str, times: list[datetime]
) -> None:
    frame = pl.DataFrame({"at": times}, schema={"at": pl.Datetime("us", "UTC")})
    for at, window in frame.select("at", window_of("at", length, zone)).iter_rows():
        end = end_of(window, zone)
        # An hour that is repeated when clocks go back has one name for both.
        if length != "hour" or zone == "UTC":
            assert at < end
            after = pl.DataFrame({"at": [end.astimezone(UTC)]}).select(window_of("at", length, zone))["window"][0]
            assert after > window
            one = pl.DataFrame({"window": [window]})
            assert [one.select(are_over(length, Clock(zone, now))).item() for now in (at, end)] == [False, True]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("length", LENGTHS)
@given(times=st.lists(instants, min_size=1, max_size=20), chosen=st.integers(1, 4))
def test_the_bounds_hold_every_row_of_the_windows_that_were_touched(
    length: str, zone: str, times: list[datetime], chosen: int
) -> None:
    frame = pl.DataFrame({"at": times}, schema={"at": pl.Datetime("us", "UTC")}).with_columns(
        window_of("at", length, zone)
    )
    touched = frame.head(chosen)
    within = frame.filter(whole_windows("at", touched["at"], length, zone))
    assert set(frame.filter(pl.col("window").is_in(touched["window"].implode()))["at"]) <= set(within["at"])


def test_no_instants_touch_no_window() -> None:
    frame = pl.DataFrame({"at": [datetime(2024, 1, 1)]})
    assert frame.filter(whole_windows("at", frame["at"].clear(), "day")).is_empty()


def test_the_same_weekday_is_that_of_the_weeks_before_and_of_an_hour_its_hour() -> None:
    days = [(datetime(2024, 1, 1) + timedelta(days=day)).strftime("%Y-%m-%d") for day in range(21)]
    assert same_weekday(days, "2024-01-17") == ["2024-01-03", "2024-01-10"]
    hours = [f"2024-01-{day:02}T{hour:02}" for day in (1, 2, 8) for hour in (9, 10)]
    assert same_weekday(hours, "2024-01-15T09") == ["2024-01-01T09", "2024-01-08T09"]
