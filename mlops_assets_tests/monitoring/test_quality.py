from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mlops_assets.config import MonitoringConfig
from mlops_assets.monitoring.alarm import Alarm
from mlops_assets.monitoring.alerts import standing
from mlops_assets.monitoring.profile import fit_reference, summarise
from mlops_assets.monitoring.quality import (
    Arrived,
    Quality,
    freshness,
    is_over,
    read_quality,
    score,
    window_quality,
    windows_before,
    write_quality,
)
from mlops_assets.monitoring.slices import sliced_name
from mlops_assets.monitoring.track import Tracked
from mlops_assets.monitoring.watch import Watched
from mlops_assets.monitoring.windows import Clock

TRAINING = pl.DataFrame({"x": [1.0, 2.0, 3.0, None] * 250, "kind": ["a", "b"] * 500})
CLOCK = Clock("UTC", datetime(2024, 2, 1, tzinfo=UTC))
NOTHING_BEFORE = pl.DataFrame(schema={"check": pl.String, "subject": pl.String, "value": pl.Float64})
SUBJECTS = {"failed_rules": "flights", "volume": "rows"}


def config(**fields: Any) -> MonitoringConfig:
    return MonitoringConfig.model_validate({"metrics": ["data_quality"], "min_sample": 100, **fields})


def look(
    rows: pl.DataFrame,
    *,
    arrived: Arrived | None = None,
    part: str = "",
    before: pl.DataFrame = NOTHING_BEFORE,
    over: bool = True,
    **fields: Any,
) -> list[Quality]:
    reference = fit_reference(TRAINING, ["x", "kind"])
    current = summarise(rows, reference)
    came = [arrived] if arrived else []
    return window_quality({part: reference.profile}, {part: current}, came, before, config(**fields), over=over)


def usual(part: str = "", **values: float) -> pl.DataFrame:
    subjects = [sliced_name(SUBJECTS[check], part) for check in values]
    return pl.DataFrame(
        {"check": list(values), "subject": subjects, "value": [float(each) for each in values.values()]}
    )


def failed(found: list[Quality]) -> list[str]:
    return [one.sentence for one in found if one.failed]


def test_a_window_like_the_training_rows_is_whole() -> None:
    found = look(TRAINING)
    assert failed(found) == []
    assert score(found) == 1.0


def test_a_quarter_that_turned_null_is_told_with_what_was_usual() -> None:
    holes = TRAINING.with_columns(x=pl.when(pl.int_range(pl.len()) % 2 == 0).then("x"))
    assert failed(look(holes)) == ["nulls of x: 50.0% of the rows, usually 25.0%"]
    assert score(look(holes)) == pytest.approx(0.75)
    assert failed(look(holes, alert_thresholds={"data_quality": 0.7})) == []


def test_a_level_that_training_never_saw_is_told() -> None:
    odd = TRAINING.with_columns(kind=pl.when(pl.int_range(pl.len()) < 100).then(pl.lit("c")).otherwise("kind"))
    assert failed(look(odd)) == ["unseen levels of kind: 10.0% of the rows, usually 0.0%"]


def test_rows_in_quarantine_are_held_against_the_windows_before() -> None:
    broken = Arrived("flights", 1000, 300)
    assert failed(look(TRAINING, arrived=broken)) == ["failed rules of flights: 30.0% of the rows, usually 0.0%"]
    assert failed(look(TRAINING, arrived=broken, before=usual(failed_rules=0.28))) == []


def test_half_the_usual_rows_or_twice_as_many_are_told_once_the_window_is_over() -> None:
    assert failed(look(TRAINING, before=usual(volume=2100))) == ["volume: 1,000 rows, usually 2,100"]
    assert failed(look(TRAINING, before=usual(volume=490))) == ["volume: 1,000 rows, usually 490"]
    assert failed(look(TRAINING, before=usual(volume=1500))) == []
    assert failed(look(TRAINING, before=usual(volume=2100), over=False)) == []


def test_a_slice_has_rows_and_broken_rules_of_its_own() -> None:
    part, broken = "origin=EWR", Arrived("flights", 1000, 300, "origin=EWR")
    before = pl.concat([usual(volume=1000, failed_rules=0.3), usual(part, volume=2100, failed_rules=0.1)])
    assert failed(look(TRAINING, arrived=broken, part=part, before=before)) == [
        "failed rules of flights [origin=EWR]: 30.0% of the rows, usually 10.0%",
        "volume: 1,000 rows [origin=EWR], usually 2,100",
    ]
    thin = look(TRAINING.head(60), part=part, before=usual(part, volume=20))
    assert [(one.check, one.verdict) for one in thin if one.check == "volume"] == [("volume", "insufficient_data")]


def test_too_few_rows_fail_nothing() -> None:
    assert failed(look(TRAINING.head(50).with_columns(x=pl.lit(None, pl.Float64)))) == []


def test_the_newest_row_is_fresh_for_as_long_as_the_document_says() -> None:
    now = datetime(2024, 1, 2, tzinfo=UTC)
    assert freshness(now - timedelta(days=9), now, config()) == []
    (old,) = freshness(now - timedelta(hours=3), now, config(max_age="2h"))
    assert old.sentence == "freshness: the newest row is 3.0 h old, at most 2.0 h are allowed"
    (young,) = freshness(now - timedelta(hours=1), now, config(max_age="2h"))
    assert (old.verdict, young.verdict) == ("failed", "ok")
    assert is_over("2024-01-01", Clock("UTC", now))
    assert not is_over("2024-01-01", Clock("UTC", now - timedelta(seconds=1)))


def test_a_window_looked_at_again_replaces_what_was_found_and_tells_the_next_what_is_usual(tmp_path: Path) -> None:
    table = str(tmp_path / "quality")
    for window, rows in (("2024-01-01", 10), ("2024-01-02", 20), ("2024-01-02", 30)):
        found = [Quality("volume", "rows", float(rows), 0.0, 0.0, "ok")]
        write_quality(table, "1", {window: found})
    assert read_quality(table, "1", "day", CLOCK)["2024-01-02"][0].value == 30
    assert windows_before(table, "1", "2024-01-03", "day")["value"].to_list() == [10, 30]
    assert windows_before(table, "1", "2024-01-02", "day")["value"].to_list() == [10]
    assert read_quality(table, "2", "day", CLOCK) == {}


def test_broken_data_is_an_alert_of_the_champions_newest_window() -> None:
    found = {"2024-01-01": [Quality("nulls", "x", 0.5, 0.25, 0.3, "failed")]}
    calm = Watched("1", (), Alarm(), {})
    (alert,) = standing("delay", calm, Tracked(pl.DataFrame()), found).alerts
    assert (alert.monitor, alert.window) == ("data quality", "2024-01-01")
    assert alert.reasons == ("nulls of x: 50.0% of the rows, usually 25.0%",)
