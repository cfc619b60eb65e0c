from pathlib import Path

import dagster as dg
import pytest

from mlops_assets.config import load_project
from mlops_assets.schedules import cron_lines, interval_text, project_schedules

FLIGHTS = load_project(Path(__file__).parents[1] / "configs" / "flights")
WORDS = [
    (1440, "every day"),
    (120, "every 2 hours"),
    (90, "every 90 minutes"),
    (2000, "every day"),
    (64_800, "every month"),
]
WAITING, STARTED = dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED


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
    assert cron_lines(minutes) == cron


def test_an_interval_that_does_not_divide_the_hour_is_a_line_for_each_time_of_day() -> None:
    assert cron_lines(45)[:3] == ["0 0 * * *", "45 0 * * *", "30 1 * * *"]
    assert len(cron_lines(45)) == 32


@pytest.mark.parametrize(("minutes", "words"), WORDS)
def test_an_interval_is_said_in_the_largest_unit_that_fits(minutes: int, words: str) -> None:
    assert interval_text(minutes) == words


@pytest.mark.parametrize(
    ("job", "status", "some", "asks"),
    [
        ("flights_monitor", WAITING, False, False),
        ("flights_monitor", STARTED, False, True),
        ("flights_monitor", WAITING, True, True),
        ("flights_retrain", WAITING, False, True),
    ],
)
def test_a_tick_asks_for_no_run_where_one_of_its_whole_job_still_waits(
    job: str, status: dg.DagsterRunStatus, some: bool, asks: bool
) -> None:
    schedules = {one.name: one for one in project_schedules(FLIGHTS, ["flights_monitor"])}
    selected = frozenset([dg.AssetKey("one")]) if some else None
    with dg.instance_for_test() as instance:
        instance.add_run(dg.DagsterRun(job_name=job, status=status, asset_selection=selected))
        tick = schedules["flights_monitor_schedule"](dg.build_schedule_context(instance))
    assert isinstance(tick, dg.RunRequest if asks else dg.SkipReason)
