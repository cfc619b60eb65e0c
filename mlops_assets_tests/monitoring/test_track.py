from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from mlops_assets.config import MonitoringConfig
from mlops_assets.lake import delta
from mlops_assets.monitoring.alarm import Alarm
from mlops_assets.monitoring.alerts import standing
from mlops_assets.monitoring.error_stream import keep_errors
from mlops_assets.monitoring.track import Tracked, as_known, last_windows, track
from mlops_assets.monitoring.watch import Watched
from mlops_assets.monitoring.windows import Clock
from mlops_assets.registry import ModelVersion
from mlops_assets.steps.performance import performance_check

NOW = datetime(2024, 3, 1, tzinfo=UTC)


def config(**fields: Any) -> MonitoringConfig:
    thresholds = {"roc_auc": 0.7}
    return MonitoringConfig.model_validate(
        {"metrics": ["roc_auc"], "alert_thresholds": thresholds, "min_sample": 100, **fields}
    )


def predictions(window: str, *, good: bool, known: float = 1.0, seed: int = 0) -> pl.DataFrame:
    random = np.random.default_rng(seed)
    probability = random.random(1000)
    label = random.random(1000) < (probability if good else 1 - probability)
    arrived = [bool(one) if random.random() < known else None for one in label]
    return pl.DataFrame(
        {
            "window": window,
            "version": "1",
            "prediction": (probability > 0.5).astype(float),
            "probability": probability,
            "late": pl.Series(arrived, dtype=pl.Boolean),
        }
    )


@pytest.fixture
def table(tmp_path: Path) -> str:
    return str(tmp_path / "performance")


def see(table: str, frame: pl.DataFrame, now: datetime = NOW, **fields: Any) -> Tracked:
    return track(
        table,
        frame,
        label="late",
        metrics=["roc_auc"],
        estimates=["roc_auc"],
        baseline=None,
        transactions={},
        config=config(**fields),
        clock=Clock("UTC", now),
    )


def test_the_newest_window_with_enough_labels_is_the_one_that_is_judged(table: str) -> None:
    see(table, predictions("2024-01-01", good=False))
    found = see(table, predictions("2024-01-02", good=True, known=0.01))
    assert found.newest is not None
    assert found.newest.window == "2024-01-01"
    assert [one.metric for one in found.breaches] == ["roc_auc"]


def test_it_is_found_behind_any_number_of_windows_without_labels(table: str) -> None:
    see(table, predictions("2024-01-01", good=True))
    for day in range(2, 20):
        found = see(table, predictions(f"2024-01-{day:02}", good=True, known=0.0))
    assert found.newest is not None
    assert found.newest.window == "2024-01-01"


def test_a_window_whose_labels_are_not_due_yet_is_not_judged_by_those_that_came_early(table: str) -> None:
    delayed = {"model_performance_tracking": {"label_delay": "30d"}}
    early = see(table, predictions("2024-02-01", good=False, known=0.3), **delayed)
    assert (early.newest, early.breaches) == (None, ())
    later = see(table, predictions("2024-02-01", good=False), NOW + timedelta(days=3), **delayed)
    assert [one.metric for one in later.breaches] == ["roc_auc"]


def test_what_was_known_at_an_earlier_time_can_be_read_again(table: str) -> None:
    for day, known in enumerate((0.0, 0.3, 1.0)):
        see(table, predictions("2024-01-01", good=True, known=known), NOW + timedelta(days=day))
    coverage = [as_known(table, NOW + timedelta(days=day))["coverage"][0] for day in range(3)]
    assert coverage == [0.0, pytest.approx(0.3, abs=0.05), 1.0]
    assert as_known(table, NOW - timedelta(days=1)).is_empty()
    assert last_windows(table, 60, "day")["coverage"].unique().to_list() == [1.0]


def test_nothing_measured_is_an_empty_table_and_no_breach(table: str) -> None:
    found = see(table, predictions("2024-01-01", good=True).clear())
    assert (found.newest, found.breaches) == (None, ())
    assert as_known(table, NOW).is_empty()
    assert last_windows(table, 60, "day").is_empty()


def test_errors_that_rise_in_the_window_that_is_judged_are_an_alert_though_no_metric_is_below_its_threshold(
    table: str,
) -> None:
    detectors = {"model_performance_tracking": {"detectors": ["adwin"]}, "alert_thresholds": {}}
    for day in range(1, 5):
        frame = predictions(f"2024-01-{day:02}", good=day < 4, seed=day).with_row_index("time")
        at = pl.lit(datetime(2024, 1, day)) + pl.duration(seconds=pl.col("time"))
        keep_errors(table, frame.with_columns(time=at), label="late", at="time", classifier=True)
        found = see(table, frame.drop("time"), **detectors)
        assert (len(found.breaches), len(found.changes)) == (0, int(day == 4))
    (alert,) = standing("delay", Watched("1", (), Alarm(), {}), found).alerts
    assert (alert.monitor, alert.window) == ("performance", "2024-01-04")
    assert alert.reasons[0].startswith("adwin: errors rose from 0.2")


def test_a_monitor_without_a_metric_of_the_models_runs_again_and_again(table: str) -> None:
    for run in (1, 2):
        found = track(
            table,
            predictions("2024-01-01", good=True),
            label="late",
            metrics=[],
            baseline=None,
            transactions={"predictions": run},
            config=config(metrics=["feature_drift"], alert_thresholds={}),
            clock=Clock("UTC", NOW),
        )
        assert found.performance.is_empty()
        assert delta.transaction_version(table, "predictions") == run


@pytest.mark.parametrize(("champion", "raised"), [("1", True), ("2", False)])
def test_what_a_champion_that_has_gone_was_measured_at_calls_for_no_training(
    table: str, champion: str, raised: bool
) -> None:
    found = see(table, predictions("2024-01-01", good=False))
    check = performance_check(found, ModelVersion("late", champion, "run"), config(check_severity="error"))
    assert (check.passed, check.warns) == (not raised, False)
    assert ("no longer champion" in check.description) != raised


@pytest.mark.parametrize(
    ("bounds", "sentence"),
    [
        ({"alert_thresholds": {"accuracy": 0.1}}, "within its thresholds"),
        ({"alert_thresholds": {"feature_drift": 0.1}}, "alert_thresholds says of no metric what would be too bad"),
    ],
)
def test_a_window_is_within_its_thresholds_only_where_a_metric_has_one(
    table: str, bounds: dict[str, dict[str, float]], sentence: str
) -> None:
    found = see(table, predictions("2024-01-01", good=True), **bounds)
    check = performance_check(found, ModelVersion("late", "1", "run"), config(**bounds))
    assert check.passed
    assert sentence in check.description
