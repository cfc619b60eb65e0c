import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from mlops_assets.lake import delta
from mlops_assets.monitoring import alert_log
from mlops_assets.monitoring.alarm import Alarm, WindowVerdict
from mlops_assets.monitoring.alert_log import announce
from mlops_assets.monitoring.alert_table import Entry, read_log
from mlops_assets.monitoring.alerts import Alert, Standing, alarm_message, standing
from mlops_assets.monitoring.breaches import Breach
from mlops_assets.monitoring.delivery import Delivery
from mlops_assets.monitoring.message import Message
from mlops_assets.monitoring.performance import WindowPerformance
from mlops_assets.monitoring.track import Tracked
from mlops_assets.monitoring.verdict import FeatureDrift
from mlops_assets.monitoring.watch import Watched

NOW = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
PAGE = "file:///dashboard.html"
OPS, TEAM = "email:ops@example.com", "slack:1234abcd"


@dataclass
class Channels:
    """Takes what is sent, but for the channels that are down."""

    down: set[str] = field(default_factory=set)
    took: list[tuple[str, Message]] = field(default_factory=list)

    def send(self, channel: str, message: Message) -> Delivery:
        if channel in self.down:
            return Delivery(3, "refused: 503")
        self.took.append((channel, message))
        return Delivery(1)

    def titles(self, channel: str = OPS) -> list[str]:
        return [message.title for name, message in self.took if name == channel]


@pytest.fixture
def table(tmp_path: Path) -> str:
    return str(tmp_path / "alerts")


def drift(window: str, version: str = "1") -> Alert:
    return Alert("delay", version, window, "drift", 8.2, ("temp severe: psi 0.820, 8.2 x its limit 0.1",))


def alarmed(*alerts: Alert) -> Standing:
    return Standing("delay", alerts[0].version, alerts[0].window, alerts, True)


def quiet(window: str, version: str = "1") -> Standing:
    return Standing("delay", version, window, (), False)


def told(
    table: str,
    now: Standing,
    channels: Channels,
    at: datetime = NOW,
    *,
    names: Sequence[str] = (OPS,),
    window: timedelta = timedelta(0),
) -> list[Entry]:
    return announce(table, now, names, channels.send, at=at, window=window, page=PAGE, lock=Path(f"{table}.lock"))


def test_an_alarm_is_told_once_however_often_the_monitor_runs(table: str) -> None:
    channels = Channels()
    for hour in range(3):
        told(table, alarmed(drift("2013-04")), channels, NOW + hour * HOUR)
    ((_, message),) = channels.took
    assert message.title == "delay: drift alarm, 2013-04"
    assert message.body == (
        f"2013-04, version 1: drift\n1. temp severe: psi 0.820, 8.2 x its limit 0.1\n\nDashboard: {PAGE}"
    )


def test_its_end_is_told_once_and_the_next_alarm_again(table: str) -> None:
    channels = Channels()
    told(table, alarmed(drift("2013-04")), channels)
    told(table, quiet("2013-05"), channels, NOW + HOUR)
    told(table, quiet("2013-06"), channels, NOW + 2 * HOUR)
    told(table, alarmed(drift("2013-07")), channels, NOW + 3 * HOUR)
    assert channels.titles() == ["delay: drift alarm, 2013-04", "delay: recovered", "delay: drift alarm, 2013-07"]
    assert "Version 1 is within its limits again in 2013-05." in channels.took[1][1].body


def test_an_alarm_that_comes_back_in_its_window_is_told_again_and_so_is_its_end(table: str) -> None:
    channels = Channels()
    for hour, now in enumerate((alarmed(drift("2013-04")), quiet("2013-04")) * 2):
        for minutes in (0, 30):
            log = told(table, now, channels, NOW + hour * HOUR + timedelta(minutes=minutes))
    assert channels.titles() == ["delay: drift alarm, 2013-04", "delay: recovered"] * 2
    assert len({entry.id for entry in log}) == 4


def test_an_address_that_never_takes_anything_is_given_up(table: str) -> None:
    channels = Channels(down={OPS})
    for hour in range(22):
        (entry,) = told(table, alarmed(drift("2013-04")), channels, NOW + hour * HOUR)
    assert (entry.state, entry.attempts) == ("given up", 60)


def test_of_two_machines_that_find_a_new_alarm_one_tells_it(table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    channels = Channels()

    def overtaken(path: str, model: str) -> list[Entry]:
        monkeypatch.setattr(alert_log, "read_log", read_log)
        found = read_log(path, model)
        announce(path, alarmed(drift("2013-04")), [OPS], channels.send, at=NOW, window=HOUR, page=PAGE, lock=other)
        return found

    other = Path(f"{table}.other.lock")
    monkeypatch.setattr(alert_log, "read_log", overtaken)
    told(table, alarmed(drift("2013-04")), channels)
    assert len(channels.took) == 1


def test_drift_that_has_fallen_but_is_not_over_says_nothing(table: str) -> None:
    channels = Channels()
    told(table, alarmed(drift("2013-04")), channels)
    told(table, replace(quiet("2013-05"), alarmed=True), channels, NOW + HOUR)
    assert len(channels.took) == 1


def test_a_new_champion_ends_the_alarms_of_the_old_one(table: str) -> None:
    channels = Channels()
    told(table, alarmed(drift("2013-04")), channels)
    told(table, quiet("", version="2"), channels, NOW + HOUR)
    assert "Version 2 has replaced version 1." in channels.took[1][1].body


def test_nothing_is_told_where_nothing_was_ever_in_alarm(table: str) -> None:
    channels = Channels()
    assert told(table, quiet("2013-04"), channels) == []
    assert channels.took == []


def test_alarms_of_one_run_are_one_message_the_gravest_first(table: str) -> None:
    channels = Channels()
    lost = Alert("delay", "1", "2013-04", "performance", 1000.1, ("roc_auc 0.6000 is below 0.7",))
    told(table, alarmed(lost, drift("2013-04")), channels)
    ((_, message),) = channels.took
    assert message.title == "delay: performance and drift alarm, 2013-04"
    assert message.body.index("roc_auc") < message.body.index("temp")
    assert [each["monitor"] for each in message.facts["alerts"]] == ["performance", "drift"]


def test_alarms_within_the_aggregation_window_are_gathered_into_the_next_message(table: str) -> None:
    channels = Channels()
    for minutes, window in ((0, "01"), (10, "02"), (20, "03"), (59, "03"), (60, "03"), (70, "03")):
        told(table, alarmed(drift(window)), channels, NOW + timedelta(minutes=minutes), window=HOUR)
    assert channels.titles() == ["delay: drift alarm, 01", "delay: drift alarm, 02, 03"]


def test_the_end_is_told_at_once_and_takes_with_it_what_was_being_gathered(table: str) -> None:
    channels = Channels()
    told(table, alarmed(drift("01")), channels, window=HOUR)
    told(table, alarmed(drift("02")), channels, NOW + timedelta(minutes=5), window=HOUR)
    told(table, quiet("03"), channels, NOW + timedelta(minutes=10), window=HOUR)
    told(table, quiet("04"), channels, NOW + 3 * HOUR, window=HOUR)
    assert channels.titles() == ["delay: drift alarm, 01", "delay: recovered"]
    assert "2 alerts since 2024-01-01 00:00 UTC (01, 02)" in channels.took[1][1].body


def test_a_channel_that_was_down_is_told_with_the_next_run_and_no_other_twice(table: str) -> None:
    channels = Channels(down={TEAM})
    log = told(table, alarmed(drift("2013-04")), channels, names=(OPS, TEAM))
    assert {entry.channel: (entry.state, entry.attempts, entry.error) for entry in log} == {
        OPS: ("sent", 1, ""),
        TEAM: ("failed", 3, "refused: 503"),
    }
    channels.down.clear()
    log = told(table, alarmed(drift("2013-04")), channels, NOW + HOUR, names=(OPS, TEAM))
    assert {entry.channel: (entry.state, entry.attempts) for entry in log} == {OPS: ("sent", 1), TEAM: ("sent", 4)}
    assert [name for name, _ in channels.took] == [OPS, TEAM]


def test_a_channel_that_missed_an_alarm_and_its_end_hears_of_both_apart_from_the_next_alarm(table: str) -> None:
    channels = Channels(down={OPS})
    told(table, alarmed(drift("01")), channels)
    told(table, quiet("02"), channels, NOW + HOUR)
    channels.down.clear()
    log = told(table, alarmed(drift("03")), channels, NOW + 2 * HOUR)
    assert channels.titles() == ["delay: recovered", "delay: drift alarm, 03"]
    assert "1 alert since 2024-01-01 00:00 UTC (01)" in channels.took[0][1].body
    assert {entry.state for entry in log} == {"sent"}


def test_without_a_channel_an_alarm_is_recorded(table: str) -> None:
    channels = Channels()
    (entry,) = told(table, alarmed(drift("2013-04")), channels, names=())
    assert (entry.state, entry.channel, entry.reasons) == ("recorded", "", drift("2013-04").reasons)
    assert delta.rows(table) == 1


def test_two_models_of_a_project_share_the_table_and_nothing_else(table: str) -> None:
    channels = Channels()
    told(table, alarmed(drift("2013-04")), channels)
    told(table, replace(quiet("2013-04"), model="fare"), channels, NOW + HOUR)
    assert channels.titles() == ["delay: drift alarm, 2013-04"]
    assert read_log(table, "fare") == []


def test_two_runs_at_once_tell_an_alarm_once(table: str) -> None:
    channels = Channels()
    runs = [threading.Thread(target=told, args=(table, alarmed(drift("2013-04")), channels)) for _ in range(4)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert len(channels.took) == 1


def test_without_details_a_message_says_that_and_not_why() -> None:
    message = alarm_message([drift("2013-04")], PAGE, details=False)
    assert "temp" not in message.body + str(message.facts)
    assert "2013-04, version 1: drift (1 reason)" in message.body


def feature(name: str, effect: float) -> FeatureDrift:
    verdict = "severe" if effect > 0.15 else "drift" if effect > 0.1 else "ok"
    return FeatureDrift(name, "psi", effect, 0.0, 0.0, effect, effect, effect, 0.1, verdict, 5000)


def watched(*features: FeatureDrift, active: bool = True, version: str = "1") -> Watched:
    names = tuple(one.feature for one in features if one.drifted)
    verdict = WindowVerdict("2013-04", version, "severe" if names else "ok", names, max(f.severity for f in features))
    return Watched(version, (verdict,), Alarm(active=active), {"2013-04": list(features)})


def tracked(version: str) -> Tracked:
    newest = WindowPerformance("2013-04", version, 6000, 6000, ())
    return Tracked(pl.DataFrame(), (Breach("2013-04", version, "roc_auc", 0.6, 0.7, True),), newest)


def test_reasons_are_the_drifted_features_by_effect_with_their_numbers() -> None:
    now = standing("delay", watched(feature("a", 0.12), feature("b", 0.05), feature("c", 0.5)), Tracked(pl.DataFrame()))
    (alert,) = now.alerts
    assert alert.reasons == (
        "c severe: psi 0.500, 5.0 x its limit 0.1",
        "a drift: psi 0.120, 1.2 x its limit 0.1",
    )
    assert alert.id == "delay:v1:2013-04:drift"


def test_drift_below_the_number_of_windows_that_make_an_alarm_is_none() -> None:
    now = standing("delay", watched(feature("a", 0.5), active=False), Tracked(pl.DataFrame()))
    assert (now.alerts, now.alarmed) == ((), False)


def test_lost_performance_comes_before_drift_and_an_earlier_champions_is_not_told() -> None:
    both = standing("delay", watched(feature("a", 0.5)), tracked("1"))
    assert [alert.monitor for alert in both.alerts] == ["performance", "drift"]
    assert both.alerts[0].reasons == ("roc_auc 0.6000 is below 0.7",)
    replaced = standing("delay", watched(feature("a", 0.01), active=False, version="2"), tracked("1"))
    assert (replaced.alerts, replaced.alarmed) == ((), False)


def test_retrainings_that_did_not_help_are_an_alert_of_their_own() -> None:
    calm = watched(feature("a", 0.01), active=False)
    (alert,) = standing("delay", calm, Tracked(pl.DataFrame()), refusals=2, stop_after=2).alerts
    assert alert.reasons[0].startswith("2 retrainings in a row were refused by the gate")
    assert standing("delay", calm, Tracked(pl.DataFrame()), refusals=2, stop_after=0).alerts == ()
