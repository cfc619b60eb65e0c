import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.monitoring.alarm import Alarm, WindowVerdict, alarm, window_verdict
from mlops_assets.monitoring.verdict import FeatureDrift

SEVERITY = {"ok": 0.1, "near": 0.7, "drift": 1.5, "severe": 4.0, "insufficient_data": 0.0}


def history(*verdicts, reference="v1"):
    return [
        WindowVerdict(
            f"{reference}-{index}",
            reference,
            "ok" if verdict == "near" else verdict,
            ("price",) if verdict in ("drift", "severe") else (),
            SEVERITY[verdict],
        )
        for index, verdict in enumerate(verdicts)
    ]


def states(windows, **options):
    return [alarm(windows[: end + 1], **options) for end in range(len(windows))]


def test_one_drifted_window_is_no_alarm_and_two_in_a_row_are():
    found = states(history("drift", "ok", "drift", "drift"))
    assert [one.raised for one in found] == [False, False, False, True]
    assert found[-1] == Alarm(True, True, "v1:v1-2", "v1-2", ("price",), 1.5)


def test_an_alarm_is_raised_once_an_episode_and_keeps_its_id():
    found = states(history("drift", "drift", "severe", "drift"))
    assert [one.raised for one in found] == [False, True, False, False]
    assert {one.alarm_id for one in found if one.active} == {"v1:v1-0"}


def test_an_alarm_goes_off_only_at_half_the_limit():
    found = states(history("drift", "drift", "near", "near", "ok"))
    assert [one.active for one in found] == [False, True, True, True, False]
    assert not any(one.raised for one in found[2:])


def test_a_later_episode_is_another_alarm():
    found = states(history("drift", "drift", "ok", "drift", "drift"))
    assert [one.alarm_id for one in found if one.raised] == ["v1:v1-0", "v1:v1-3"]


def test_windows_without_enough_data_say_nothing_either_way():
    found = states(history("drift", "insufficient_data", "drift", "insufficient_data"))
    assert [one.raised for one in found] == [False, False, True, False]
    assert found[-1].active


def test_a_new_reference_starts_anew():
    windows = history("drift", "drift") + history("drift", "drift", reference="v2")
    found = states(windows)
    assert [one.active for one in found] == [False, True, False, True]
    assert found[-1].alarm_id == "v2:v2-0"


def test_consecutive_windows_are_counted_as_asked():
    assert [one.raised for one in states(history("drift", "drift", "drift"), consecutive=3)] == [
        False,
        False,
        True,
    ]
    assert alarm(history("drift"), consecutive=1).raised
    with pytest.raises(ValueError, match="at least one"):
        alarm(history("drift"), consecutive=0)


def test_no_history_is_no_alarm():
    assert alarm([]) == Alarm()


@settings(derandomize=True, max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(sorted(SEVERITY)), max_size=30))
def test_every_alarm_was_raised_exactly_once(verdicts):
    found = states(history(*verdicts))
    raised = [one.alarm_id for one in found if one.raised]
    assert len(raised) == len(set(raised))
    assert {one.alarm_id for one in found if one.active} == set(raised)


def feature(name, verdict, effect):
    return FeatureDrift(name, "psi", effect, 0.0, 0.0, effect, effect, effect, 0.05, verdict, 1000)


def test_a_window_is_as_bad_as_its_worst_feature_and_ranks_them_by_effect():
    found = window_verdict(
        "monday",
        "v1",
        [
            feature("a", "ok", 0.01),
            feature("b", "drift", 0.06),
            feature("c", "severe", 0.4),
            feature("d", "drift", 0.1),
        ],
    )
    assert found == WindowVerdict("monday", "v1", "severe", ("c", "d", "b"), pytest.approx(8))


def test_a_window_is_insufficient_only_where_all_its_features_are():
    little, fine = feature("a", "insufficient_data", 9), feature("b", "ok", 0)
    assert window_verdict("w", "v1", [little, fine]).verdict == "ok"
    assert window_verdict("w", "v1", [little]).verdict == "insufficient_data"
    assert window_verdict("w", "v1", [little]).severity == 0
    assert window_verdict("w", "v1", []).verdict == "insufficient_data"
