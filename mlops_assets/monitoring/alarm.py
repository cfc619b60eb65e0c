"""When drift of windows becomes one alarm.

Consecutive windows, raised once an episode, off only well below the limit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from mlops_assets.monitoring.verdict import FeatureDrift

HYSTERESIS = 0.5  # share of the limit


@dataclass(frozen=True)
class WindowVerdict:
    """One window against one reference.

    `drifted_features` by effect, largest first, and the largest effect over its limit.
    """

    window: str
    reference_id: str
    verdict: str
    drifted_features: tuple[str, ...] = ()
    severity: float = 0.0

    @property
    def drifted(self) -> bool:
        """Whether the verdict is drift or severe."""
        return self.verdict in ("drift", "severe")


@dataclass(frozen=True)
class Alarm:
    """State after the last window.

    `raised` only at the window that made the episode an alarm, `active` until it is over.

    `alarm_id` names the episode's cause, its reference and first window; the same episode always has the same
    id.
    """

    active: bool = False
    raised: bool = False
    alarm_id: str | None = None
    since: str | None = None
    features: tuple[str, ...] = ()
    severity: float = 0.0


def window_verdict(window: str, reference_id: str, features: Sequence[FeatureDrift]) -> WindowVerdict:
    """The window's verdict: the worst of its features', insufficient_data only where that is all there is."""
    drifted = sorted((one for one in features if one.drifted), key=lambda one: one.severity, reverse=True)
    found = {one.verdict for one in features}
    verdict = next((name for name in ("severe", "drift", "ok") if name in found), "insufficient_data")
    names = tuple(one.feature for one in drifted)
    return WindowVerdict(window, reference_id, verdict, names, max((one.severity for one in features), default=0.0))


def settled(window: WindowVerdict, hysteresis: float = HYSTERESIS) -> bool:
    """Whether no alarm outlasts the window: what was before it no longer matters."""
    return window.verdict == "ok" and window.severity <= hysteresis


def alarm(history: Sequence[WindowVerdict], *, consecutive: int = 2, hysteresis: float = HYSTERESIS) -> Alarm:
    """The alarm after `history`, oldest window first; pure, so that a re-run gives the same answer.

    An episode begins with a drifted window and is an alarm once `consecutive` windows in a row have drifted;
    an alarm ends with the first window whose severity is at most `hysteresis` times its limit. Windows without
    enough data say nothing either way. With a new reference the history starts anew. ValueError where `consecutive`
    is below 1.
    """
    if consecutive < 1:
        raise ValueError(f"consecutive is {consecutive}; an alarm needs at least one window")
    state, run = Alarm(), 0
    for window in _of_latest_reference(history):
        if window.verdict == "insufficient_data":
            state = _quiet(state)
            continue
        run = run + 1 if window.drifted else 0
        state = _next(state, window, run, consecutive, hysteresis)
    return state


def _of_latest_reference(history: Sequence[WindowVerdict]) -> list[WindowVerdict]:
    latest = list(takewhile(lambda one: one.reference_id == history[-1].reference_id, reversed(history)))
    return latest[::-1]


def _quiet(state: Alarm) -> Alarm:
    return Alarm(state.active, False, state.alarm_id, state.since, state.features, state.severity)


def _next(state: Alarm, window: WindowVerdict, run: int, consecutive: int, hysteresis: float) -> Alarm:
    if state.active and settled(window, hysteresis):
        return Alarm()
    if not state.active and run == 0:
        return Alarm()
    first = state.since if state.active or run > 1 else window.window
    active = state.active or run >= consecutive
    features = window.drifted_features or state.features
    cause = f"{window.reference_id}:{first}"
    return Alarm(active, active and not state.active, cause if active else None, first, features, window.severity)
