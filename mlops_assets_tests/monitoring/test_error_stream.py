from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mlops_assets.monitoring.error_stream import Detector, changes, errors_of, keep_errors
from mlops_assets.monitoring.windowed import read_back

START = datetime(2024, 1, 1, tzinfo=UTC)
DETECTORS: tuple[Detector, ...] = ("adwin", "ddm", "page_hinkley")


@pytest.fixture
def table(tmp_path: Path) -> str:
    return str(tmp_path / "performance")


def day(number: int, wrong: float, *, known: float = 1.0, version: str = "1", rows: int = 1000) -> pl.DataFrame:
    """A day's predictions, a share of them wrong, and the labels that have arrived."""
    random = np.random.default_rng(number)
    times = [START + timedelta(days=number, seconds=second) for second in range(rows)]
    label = (random.random(rows) < wrong).astype(float)
    arrived = [value if random.random() < known else None for value in label]
    window = f"{START + timedelta(days=number):%Y-%m-%d}"
    return pl.DataFrame({"window": window, "version": version, "time": times, "prediction": 0.0, "late": arrived})


def keep(table: str, frame: pl.DataFrame, *, classifier: bool = True) -> None:
    keep_errors(table, frame, label="late", at="time", classifier=classifier)


@pytest.mark.parametrize("detector", DETECTORS)
def test_a_rise_of_the_errors_is_found_once_near_where_it_began(table: str, detector: Detector) -> None:
    for number in range(6):
        keep(table, day(number, 0.2))
    assert changes(table, "1", [detector], "day") == []
    for number in range(6, 9):
        keep(table, day(number, 0.4))
    (found,) = changes(table, "1", [detector], "day")
    assert found.window == "2024-01-07"
    assert found.before == pytest.approx(0.2, abs=0.05)
    assert found.after == pytest.approx(0.4, abs=0.15)


@pytest.mark.parametrize("detector", DETECTORS)
def test_errors_that_fall_are_no_alarm(table: str, detector: Detector) -> None:
    for number in range(8):
        keep(table, day(number, 0.4 if number < 4 else 0.2))
    assert changes(table, "1", [detector], "day") == []


@pytest.mark.parametrize("detector", ["adwin", "page_hinkley"])
def test_a_regressions_errors_are_followed_whatever_their_unit_and_their_outliers(
    table: str, detector: Detector
) -> None:
    for number in range(8):
        random = np.random.default_rng(number)
        errors = random.normal(scale=1000 if number < 6 else 3000, size=1000)
        errors[0] = 1e9
        keep(table, day(number, 0.0).with_columns(late=pl.Series(errors)), classifier=False)
    assert [one.window for one in changes(table, "1", [detector], "day")][:1] == ["2024-01-07"]


def test_a_label_that_comes_late_takes_its_place_in_the_stream(table: str) -> None:
    for number in range(8):
        keep(table, day(number, 0.2 if number < 6 else 0.5, known=0.02 if number >= 6 else 1.0))
    assert changes(table, "1", ["adwin"], "day") == []
    for number in (7, 6):
        keep(table, day(number, 0.5))
    assert [one.window for one in changes(table, "1", ["adwin"], "day")] == ["2024-01-07"]
    assert read_back(errors_of(table), lambda rows: False).height == 8000


def test_a_new_champion_begins_a_stream_of_its_own(table: str) -> None:
    for number in range(6):
        keep(table, day(number, 0.2 if number < 4 else 0.5))
    keep(table, day(6, 0.5, version="2"))
    assert [one.window for one in changes(table, "1", ["adwin"], "day")] == ["2024-01-05"]
    assert changes(table, "2", ["adwin"], "day") == []


def test_of_no_detector_and_of_no_label_nothing_is_kept(table: str) -> None:
    assert changes(table, "1", [], "day") == []
    keep(table, day(0, 0.2).clear())
    assert changes(table, "1", ["adwin"], "day") == []


def test_labels_in_words_are_right_or_wrong(table: str) -> None:
    words = pl.col("late", "prediction").replace_strict({0.0: "no", 1.0: "yes"}, return_dtype=pl.String)
    frame = day(0, 0.4)
    keep(table, frame.with_columns(words))
    assert read_back(errors_of(table), lambda rows: True)["error"].mean() == frame["late"].mean()
