from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from mlops_assets.config import MonitoringConfig
from mlops_assets.lake import delta
from mlops_assets.monitoring import slices, store
from mlops_assets.monitoring.store import DriftTables
from mlops_assets.monitoring.verdict import FeatureDrift
from mlops_assets.monitoring.watch import MOST_WINDOWS, Watched, history, profiles_of, verdicts, watch
from mlops_assets.monitoring.windows import Clock

FEATURES = ["a", "b"]
CLOCK = Clock("UTC", datetime(2024, 3, 1, tzinfo=UTC))


def rows(seed: int, shift: float = 0.0, count: int = 3000) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    where = random.choice(["EWR", "JFK"], count, p=[0.9, 0.1])
    values = {"a": random.normal(shift, 1, count), "b": random.normal(size=count)}
    return pl.DataFrame({**values, "prediction": random.random(count), "where": where})


def config(**fields: Any) -> MonitoringConfig:
    return MonitoringConfig.model_validate({"metrics": ["feature_drift"], "consecutive_windows": 1, **fields})


@pytest.fixture
def tables(tmp_path: Path) -> DriftTables:
    return DriftTables(*(str(tmp_path / name) for name in ("references", "profiles", "drift")))


def see(
    tables: DriftTables, batch: int, window: str, frame: pl.DataFrame, version: str = "1", **fields: Any
) -> Watched:
    asked = fields.pop("training", lambda: rows(0, count=20_000))
    done = fields.pop("after", delta.transaction_version(tables.profiles, store.BATCH))
    return watch(
        tables,
        frame.with_columns(window=pl.lit(window)),
        batch,
        after=done,
        version=version,
        features=FEATURES,
        training=asked,
        clock=fields.pop("clock", CLOCK),
        config=config(**fields),
    )


def never() -> pl.DataFrame:
    raise AssertionError("the reference is fitted once a champion")


def test_a_window_is_judged_against_what_the_champion_learned_from_which_is_read_once(tables: DriftTables) -> None:
    assert not see(tables, 1, "2024-01-01", rows(1)).alarm.active
    found = see(tables, 2, "2024-01-02", rows(2, shift=1), training=never)
    assert found.alarm.raised
    assert found.windows[-1].drifted_features == ("a",)
    assert [one.window for one in found.windows] == ["2024-01-01", "2024-01-02"]


def test_a_batch_that_was_profiled_is_not_profiled_again_and_one_of_the_same_window_adds_up(
    tables: DriftTables,
) -> None:
    for batch in (1, 1, 2):
        found = see(tables, batch, "2024-01-01", rows(batch))
    assert {one.rows for one in found.features["2024-01-01"]} == {6000}


def test_of_two_runs_at_once_the_slower_counts_no_row_again_and_leaves_its_own_to_the_next(tables: DriftTables) -> None:
    first, second = rows(1), rows(2)
    see(tables, 4, "2024-01-01", first, after=None)
    slower = see(tables, 5, "2024-01-01", pl.concat([first, second]), after=None)
    assert {one.rows for one in slower.features["2024-01-01"]} == {3000}
    after = see(tables, 5, "2024-01-01", second, after=4)
    assert {one.rows for one in after.features["2024-01-01"]} == {6000}


def test_of_two_runs_that_fit_a_reference_at_once_the_slower_takes_that_of_the_other(tables: DriftTables) -> None:
    def overtaken() -> pl.DataFrame:
        see(tables, 1, "2024-01-01", rows(1))
        return rows(7, count=20_000)

    see(tables, 1, "2024-01-01", rows(1), after=None, training=overtaken)
    assert delta.version(tables.references) == 0
    assert see(tables, 2, "2024-01-02", rows(2), training=never).windows[-1].verdict == "ok"


def test_a_run_killed_before_the_verdict_is_made_up_for_by_the_next(tables: DriftTables) -> None:
    see(tables, 1, "2024-01-01", rows(1))
    references = store.read_references(tables.references, "1", '{"slices": []}')
    late = rows(2, shift=1)

    store.append_profiles(tables.profiles, "1", 2, {"2024-01-02": slices.profiles(late, references)}, after=1)
    found = see(tables, 2, "2024-01-02", late.clear())
    assert found.windows[-1].window == "2024-01-02"
    assert found.windows[-1].drifted


def test_the_alarm_of_a_long_episode_is_read_back_to_its_beginning(tables: DriftTables) -> None:
    for day in range(1, 13):
        found = see(tables, day, f"2024-01-{day:02}", rows(day, shift=0.0 if day < 3 else 1.0))
    assert (found.alarm.active, found.alarm.since) == (True, "2024-01-03")
    calm = see(tables, 13, "2024-01-13", rows(13))
    assert not calm.alarm.active


@pytest.mark.parametrize(("verdict", "active"), [("drift", True), ("ok", False), ("insufficient_data", False)])
def test_what_is_never_calm_is_read_a_hundred_windows_back_and_no_further(
    tables: DriftTables, verdict: str, active: bool
) -> None:
    days = [str(date(2023, 1, 1) + timedelta(days=day)) for day in range(300)]
    judged = {day: [FeatureDrift("a", "psi", 1.0, 0.0, 0.0, 0.9, 0.9, 0.9, 1.0, verdict, 900)] for day in days}
    store.replace_verdicts(tables.drift, "1", judged)
    found = history(tables, "1", config(), CLOCK)
    assert [one.window for one in found.windows] == days[-MOST_WINDOWS:]
    assert (found.alarm.active, found.alarm.since) == (active, days[-MOST_WINDOWS] if active else None)


def test_the_state_is_told_from_the_newest_windows_alone(tables: DriftTables) -> None:
    for day in range(1, 13):
        see(tables, day, f"2024-01-{day:02}", rows(day))
    assert [one.window for one in history(tables, "1", config(), CLOCK).windows] == ["2024-01-11", "2024-01-12"]


def test_a_drift_in_a_tenth_of_the_rows_is_seen_in_its_slice(tables: DriftTables) -> None:
    whole = rows(1)
    moved = whole.with_columns(a=pl.when(pl.col("where") == "JFK").then(pl.col("a") + 1.5).otherwise(pl.col("a")))
    assert not see(tables, 1, "2024-01-01", moved, min_sample=100).windows[-1].drifted
    found = see(tables, 2, "2024-01-02", moved, min_sample=100, slices=["where"])
    assert found.windows[-1].drifted_features == ("a [where=JFK]",)
    reference, current = profiles_of(tables, "2024-01-02", config(slices=["where"]))
    assert set(reference) == {"", "where=EWR", "where=JFK"}
    assert current["where=JFK"].rows == moved.filter(pl.col("where") == "JFK").height


def test_traffic_that_is_other_on_every_seventh_day_is_no_drift_against_its_own_weekday(tables: DriftTables) -> None:
    weekly = {"method": "psi", "baseline": "same_weekday", "baseline_windows": 2}
    drifted = []
    for day in range(1, 29):
        frame = rows(day, shift=1.0 if day % 7 == 0 else 0.0)
        found = see(tables, day, f"2024-01-{day:02}", frame, data_drift_detection=weekly)
        drifted.append(found.windows[-1].drifted)
    assert [day for day, alarmed in enumerate(drifted, 1) if alarmed] == [7, 14]


def test_another_reference_dataset_is_another_reference_and_earlier_counts_are_left_out(tables: DriftTables) -> None:
    see(tables, 1, "2024-01-01", rows(1))
    asked: Callable[[], pl.DataFrame] = lambda: rows(9, shift=1, count=20_000)  # noqa: E731 - a callable of one line
    other = {"data_drift_detection": {"method": "psi", "reference_dataset": "/elsewhere"}}
    found = see(tables, 2, "2024-01-01", rows(2), training=asked, **other)
    (window,) = found.windows
    assert window.drifted_features == ("a",)
    assert {one.rows for one in found.features["2024-01-01"]} == {3000}


def test_hysteresis_says_how_far_below_its_limit_an_alarm_is_over(tables: DriftTables) -> None:
    for day, shift in enumerate((1.0, 0.2), 1):
        see(tables, day, f"2024-01-{day:02}", rows(day, shift=shift, count=20_000))
    severity = history(tables, "1", config(), CLOCK).windows[-1].severity
    assert 0.5 < severity < 1
    assert history(tables, "1", config(hysteresis=0.5), CLOCK).alarm.active
    assert not history(tables, "1", config(hysteresis=1.0), CLOCK).alarm.active


def test_the_page_shows_each_window_as_the_newest_champion_saw_it(tables: DriftTables) -> None:
    see(tables, 1, "2024-01-01", rows(1, shift=1))
    see(tables, 2, "2024-01-01", rows(2), version="10", training=lambda: rows(5, count=20_000))
    see(tables, 3, "2024-01-02", rows(3), version="10")
    shown = verdicts(tables, 60, config(), CLOCK)
    assert list(shown) == ["2024-01-01", "2024-01-02"]
    assert not any(one.drifted for one in shown["2024-01-01"])
    assert list(verdicts(tables, 1, config(), CLOCK)) == ["2024-01-02"]
    assert delta.rows(tables.drift) == 9


def test_a_day_that_fills_is_judged_once_it_is_over(tables: DriftTables) -> None:
    noon, midnight = (Clock("UTC", datetime(2024, 1, day, hour, tzinfo=UTC)) for day, hour in ((2, 12), (3, 0)))
    see(tables, 1, "2024-01-01", rows(1), clock=noon)
    morning = see(tables, 2, "2024-01-02", rows(2, shift=1), clock=noon)
    assert [one.window for one in morning.windows] == ["2024-01-01"]
    assert list(verdicts(tables, 60, config(), noon)) == ["2024-01-01"]
    whole = see(tables, 3, "2024-01-02", rows(3, shift=-1), clock=noon)
    assert not whole.alarm.active
    assert see(tables, 3, "2024-01-02", rows(3).clear(), clock=midnight).windows[-1].window == "2024-01-02"


def test_a_document_that_asks_for_other_windows_is_not_blind_to_them(tables: DriftTables) -> None:
    see(tables, 1, "2024-W05", rows(1))
    weekly = {"method": "psi", "baseline": "same_weekday"}
    found = see(tables, 2, "2024-01-30", rows(2, shift=1), data_drift_detection=weekly)
    assert [(one.window, one.drifted) for one in found.windows] == [("2024-01-30", True)]
    assert found.alarm.active
