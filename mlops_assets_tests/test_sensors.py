import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from mlops_assets.assets.keys import Materialized
from mlops_assets.config import MonitoringConfig, Project, load_project
from mlops_assets.sensors.drift import Alarm, Cursor, decide, latest_alarm

NOW = datetime(2024, 1, 1, tzinfo=UTC)
DRIFT = Alarm("drift", "2013-04", "1", "temp has drifted")


def monitor(**fields: Any) -> MonitoringConfig:
    return MonitoringConfig.model_validate({"metrics": ["feature_drift"], **fields})


def asked(result: dg.SensorResult | dg.SkipReason) -> list[dg.RunRequest]:
    assert isinstance(result, dg.SensorResult)
    return list(result.run_requests or [])


def cursor_of(result: dg.SensorResult | dg.SkipReason) -> Cursor:
    assert isinstance(result, dg.SensorResult)
    return Cursor.read(result.cursor)


def test_no_alarm_is_a_sentence_and_no_run() -> None:
    result = decide("flights", [], Cursor(), monitor(), NOW)
    assert isinstance(result, dg.SkipReason)
    assert "no alarm" in str(result.skip_message)


def test_a_cause_asks_for_one_run_and_never_again() -> None:
    first = decide("flights", [DRIFT], Cursor(), monitor(), NOW)
    assert [request.run_key for request in asked(first)] == ["flights:retrain:2013-04:v1"]
    again = decide("flights", [DRIFT], cursor_of(first), monitor(), NOW)
    assert isinstance(again, dg.SkipReason)


def test_of_several_models_the_one_that_drifted_is_trained() -> None:
    own = [dg.AssetKey(["flights", "model", "late"])]
    (request,) = asked(decide("flights", [DRIFT], Cursor(), monitor(), NOW, only=own))
    assert request.asset_selection == own


def test_drift_and_performance_of_one_window_ask_for_one_run_with_both_reasons() -> None:
    lost = Alarm("performance", "2013-04", "1", "roc_auc 0.65 is below 0.7")
    (request,) = asked(decide("flights", [DRIFT, lost], Cursor(), monitor(), NOW))
    assert request.tags["mlops/reason"] == "temp has drifted; roc_auc 0.65 is below 0.7"


def test_the_next_window_and_the_next_champion_are_causes_of_their_own() -> None:
    first = cursor_of(decide("flights", [DRIFT], Cursor(), monitor(), NOW))
    second = decide("flights", [Alarm("drift", "2013-05", "1", "")], first, monitor(), NOW)
    assert len(asked(second)) == 1
    third = decide("flights", [Alarm("drift", "2013-05", "2", "")], cursor_of(second), monitor(), NOW)
    assert len(asked(third)) == 1


def test_the_cool_down_holds_the_next_cause_back_until_it_is_over() -> None:
    config = monitor(retraining={"cooldown": "1d"})
    first = cursor_of(decide("flights", [DRIFT], Cursor(), config, NOW))
    later = Alarm("drift", "2013-05", "1", "")
    assert isinstance(decide("flights", [later], first, config, NOW + timedelta(hours=1)), dg.SkipReason)
    assert len(asked(decide("flights", [later], first, config, NOW + timedelta(days=2)))) == 1


def test_a_period_has_a_budget_of_retrainings() -> None:
    config = monitor(retraining={"max_per_period": 2, "period": "30d"})
    cursor, asked_on = Cursor(), []
    for day in range(0, 70, 5):
        alarm = Alarm("drift", f"day {day:03}", "1", "")
        result = decide("flights", [alarm], cursor, config, NOW + timedelta(days=day))
        if isinstance(result, dg.SensorResult):
            cursor = cursor_of(result)
            asked_on.append(day)
        else:
            assert "the most that max_per_period allows" in str(result.skip_message)
    assert asked_on == [0, 5, 30, 35, 60, 65]


def test_retrainings_that_do_not_help_stop_the_requests_and_say_so() -> None:
    config = monitor(retraining={"stop_after_refusals": 2})
    assert len(asked(decide("flights", [DRIFT], Cursor(), config, NOW, refused=1))) == 1
    stopped = decide("flights", [DRIFT], Cursor(), config, NOW, refused=2)
    assert isinstance(stopped, dg.SkipReason)
    assert "refused 2 retrainings in a row" in str(stopped.skip_message)
    assert len(asked(decide("flights", [DRIFT], Cursor(), config, NOW, refused=0))) == 1


def test_by_default_nothing_stops_the_requests() -> None:
    assert len(asked(decide("flights", [DRIFT], Cursor(), monitor(), NOW, refused=99))) == 1


@pytest.mark.parametrize(
    "text", [None, "", "garbage", "[]", "3", json.dumps({"causes": None}), '{"requests": ["soon"]}']
)
def test_a_cursor_that_is_not_ours_is_an_empty_one(text: str | None) -> None:
    assert Cursor.read(text) == Cursor()


def test_a_request_says_in_which_window_the_trouble_began() -> None:
    drift = Alarm("drift", "2013-05", "1", "temp has drifted", since="2013-03")
    lost = Alarm("performance", "2013-05", "1", "roc_auc 0.65 is below 0.7", since="2013-05")
    (request,) = asked(decide("flights", [drift, lost], Cursor(), monitor(), NOW))
    assert request.tags["mlops/since"] == "2013-03"


FLIGHTS = load_project(Path(__file__).parents[1] / "configs" / "flights")


def monitor_job(project: Project, raised: bool) -> dg.JobDefinition:
    """A job of a monitor that has looked, with what its check said."""
    key = dg.AssetKey([project.name, "monitoring", "drift"])

    @dg.asset(key=key, check_specs=[dg.AssetCheckSpec("alarm", asset=key)])
    def drift() -> Materialized:
        told = {"window": "2013-04", "champion": "1", "reason": "temp has drifted", "since": "2013-03"}
        result = dg.AssetCheckResult(passed=not raised, check_name="alarm", metadata=told)
        return dg.MaterializeResult(check_results=[result])

    return dg.Definitions([drift], jobs=[dg.define_asset_job("monitor")]).resolve_job_def("monitor")


def test_a_monitor_that_waits_in_the_queue_does_not_hide_the_alarm_of_the_one_before() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        job = monitor_job(FLIGHTS, raised=True)
        job.execute_in_process(instance=instance)
        raised = latest_alarm(instance, FLIGHTS, "drift")
        waiting = [instance.create_run_for_job(job) for _ in range(2)]
        assert [run.status for run in waiting] == [dg.DagsterRunStatus.NOT_STARTED] * 2
        assert latest_alarm(instance, FLIGHTS, "drift") == raised
        assert raised == Alarm("drift", "2013-04", "1", "temp has drifted", since="2013-03")
        monitor_job(FLIGHTS, raised=False).execute_in_process(instance=instance)
        assert latest_alarm(instance, FLIGHTS, "drift") is None
