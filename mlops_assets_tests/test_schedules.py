import pytest

from mlops_assets.schedules import every, interval


@pytest.mark.parametrize(
    ("minutes", "cron"),
    [
        (30, "*/30 * * * *"),
        (1440, "0 0 * * *"),
        (2880, "0 0 */2 * *"),
        (720, ["0 0 * * *", "0 12 * * *"]),
    ],
)
def test_an_interval_becomes_cron_lines_from_midnight(minutes: int, cron: str | list[str]) -> None:
    assert every(minutes) == cron


def test_an_interval_that_does_not_divide_the_hour_is_a_line_for_each_time_of_day() -> None:
    assert every(45)[:3] == ["0 0 * * *", "45 0 * * *", "30 1 * * *"]
    assert len(every(45)) == 32


@pytest.mark.parametrize(("minutes", "words"), [(1440, "every day"), (120, "every 2 hours"), (90, "every 90 minutes")])
def test_an_interval_is_said_in_the_largest_unit_that_fits(minutes: int, words: str) -> None:
    assert interval(minutes) == words
