"""Alerts of a model and their messages: one alert per model, window and monitor, one message for alerts raised
together, and one when the alarm is over.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from mlops_assets.monitoring.message import Message
from mlops_assets.monitoring.quality import Quality
from mlops_assets.monitoring.track import Tracked
from mlops_assets.monitoring.watch import Watched

MOST_REASONS = 10


@dataclass(frozen=True)
class Alert:
    """An alert: `reasons` are sentences with figures, the most severe first; `severity` is in units of the limit."""

    model: str
    version: str
    window: str
    monitor: str
    severity: float
    reasons: tuple[str, ...]

    @property
    def id(self) -> str:
        """The same alarm always has the same id."""
        return f"{self.model}:v{self.version}:{self.window}:{self.monitor}"


@dataclass(frozen=True)
class Standing:
    """The current state of a champion: its alerts, and whether an alarm is on.

    An alarm can be on without a new alert, until drift is well below its limit.
    """

    model: str
    version: str
    window: str
    alerts: tuple[Alert, ...]
    alarmed: bool


def standing(
    model: str,
    watched: Watched,
    tracked: Tracked,
    quality: Mapping[str, Sequence[Quality]] = MappingProxyType({}),
    *,
    refusals: int = 0,
    stop_after: int = 0,
) -> Standing:
    """The alerts of the champion's newest windows; an earlier champion's values raise none.

    `quality` are the findings of the newest window. `refusals` is the number of consecutive refusals by the gate, which
    is an alert from `stop_after` on (0: never).
    """
    found = [
        *_drift(model, watched),
        *_performance(model, watched.version, tracked),
        *_quality(model, watched.version, quality),
    ]
    window = watched.windows[-1].window if watched.windows else ""
    if stop_after and refusals >= stop_after:
        reason = (
            f"{refusals} retrainings in a row were refused by the gate; no more are requested until a person trains or "
            f"another version is champion"
        )
        found.append(Alert(model, watched.version, "", "retraining", 1.0, (reason,)))
    ranked = tuple(sorted(found, key=lambda one: one.severity, reverse=True))
    return Standing(model, watched.version, window, ranked, watched.alarm.active or bool(ranked))


def alarm_message(alerts: Sequence[Alert], page: str, *, details: bool = True) -> Message:
    """One message for the alerts of a model, the most severe first; `page` is the address of the dashboard.

    Without `details` the message only says that there is an alarm.
    """
    ranked = sorted(alerts, key=lambda one: one.severity, reverse=True)
    what = " and ".join(dict.fromkeys(one.monitor for one in ranked))
    windows = sorted({one.window for one in ranked if one.window})
    title = f"{ranked[0].model}: {what} alarm" + (f", {', '.join(windows)}" if windows else "")
    body = "\n\n".join(_paragraph(one, details=details) for one in ranked)
    facts = {
        "kind": "alarm",
        "model": ranked[0].model,
        "alerts": [_facts(one, details=details) for one in ranked],
        "dashboard": page,
    }
    return Message(ranked[0].model, title, f"{body}\n\nDashboard: {page}", "warning", facts)


def recovery_message(now: Standing, ended: Sequence[Alert], page: str, since: datetime) -> Message:
    """The message that the alarms of a model are over."""
    versions = {one.version for one in ended}
    if versions == {now.version}:
        reason = f"version {now.version} is within its limits again in {now.window or 'the newest window'}"
    else:
        reason = f"version {now.version} has replaced version {', '.join(sorted(versions - {now.version}))}"
    windows = ", ".join(sorted({one.window for one in ended if one.window}))
    over = f"Over: {len(ended)} {'alert' if len(ended) == 1 else 'alerts'} since {since:%Y-%m-%d %H:%M} UTC" + (
        f" ({windows})" if windows else ""
    )
    facts = {"kind": "recovery", "model": now.model, "ended": [one.id for one in ended], "dashboard": page}
    body = f"{reason[0].upper()}{reason[1:]}.\n{over}.\n\nDashboard: {page}"
    return Message(now.model, f"{now.model}: recovered", body, "success", facts)


def _drift(model: str, watched: Watched) -> list[Alert]:
    if not watched.alarm.active or not watched.windows or not watched.windows[-1].drifted:
        return []
    newest = watched.windows[-1]
    drifted = [one for one in watched.features[newest.window] if one.drifted]
    reasons = tuple(
        f"{one.feature} {one.verdict}: {one.method} {one.effect:.3f}, {one.severity:.1f} x its limit {one.limit:g}"
        for one in sorted(drifted, key=lambda one: one.severity, reverse=True)
    )
    return [Alert(model, watched.version, newest.window, "drift", newest.severity, reasons)]


def _quality(model: str, version: str, found: Mapping[str, Sequence[Quality]]) -> list[Alert]:
    """Alerts on broken data come first, because broken data looks like drift."""
    failed = {window: [one for one in findings if one.failed] for window, findings in found.items()}
    return [
        Alert(model, version, window, "data quality", 100.0, tuple(one.sentence for one in findings))
        for window, findings in failed.items()
        if findings
    ]


def _performance(model: str, version: str, tracked: Tracked) -> list[Alert]:
    if tracked.newest is None or tracked.newest.version != version or not (tracked.breaches or tracked.changes):
        return []
    broken = [
        f"{one.metric} {one.value:.4f} is {'below' if one.higher_is_better else 'above'} {one.threshold:g}"
        for one in tracked.breaches
    ]
    reasons = (*broken, *(one.sentence for one in tracked.changes))
    # Lost performance is what drift is only feared to cause: it comes first.
    worst = 1e3 + max((abs(one.value - one.threshold) for one in tracked.breaches), default=0.0)
    return [Alert(model, version, tracked.newest.window, "performance", worst, reasons)]


def _paragraph(alert: Alert, *, details: bool) -> str:
    where = f"{alert.window}, " if alert.window else ""
    head = f"{where}version {alert.version}: {alert.monitor}"
    if not details:
        return f"{head} ({len(alert.reasons)} reason{'' if len(alert.reasons) == 1 else 's'})"
    lines = [f"{rank}. {reason}" for rank, reason in enumerate(alert.reasons[:MOST_REASONS], 1)]
    more = len(alert.reasons) - MOST_REASONS
    return "\n".join([head, *lines, *([f"and {more} more"] if more > 0 else [])])


def _facts(alert: Alert, *, details: bool) -> dict[str, object]:
    facts = {"id": alert.id, "model_version": alert.version, "window": alert.window, "monitor": alert.monitor}
    return facts | ({"reasons": list(alert.reasons)} if details else {})
