"""What is told of alerts, and when: what has been said is not said again, what could not be said is said later."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from filelock import FileLock
from tenacity import retry, retry_if_exception_type, stop_after_attempt

from mlops_assets.lake import delta
from mlops_assets.lake.errors import Overtaken
from mlops_assets.monitoring.alert_table import (
    ALARM,
    FAILED,
    GIVEN_UP,
    MOST_ATTEMPTS,
    NOBODY,
    PENDING,
    RECORDED,
    RECOVERY,
    SENT,
    WRITES,
    Entry,
    read_log,
    write_log,
)
from mlops_assets.monitoring.alerts import Alert, Standing, alarm_message, recovery_message
from mlops_assets.monitoring.delivery import Delivery
from mlops_assets.monitoring.message import Message

Send = Callable[[str, Message], Delivery]


def open_entries(log: Sequence[Entry]) -> list[Entry]:
    """The alarms that no recovery has ended."""
    last = max((entry.raised_at for entry in log if entry.kind == RECOVERY), default=None)
    return [entry for entry in log if entry.kind == ALARM and (last is None or entry.raised_at > last)]


def recorded(log: Sequence[Entry], now: Standing, channels: Sequence[str], at: datetime) -> list[Entry]:
    """The new entries: alerts that have not been told since the last end, or the end of the alarms that are open."""
    ended = open_entries(log)
    known = {entry.alert.id for entry in ended}
    episode = len({entry.id for entry in log if entry.kind == RECOVERY}) + 1
    again = f"#{episode}" if episode > 1 else ""
    fresh = [(ALARM, alert.id + again, alert) for alert in now.alerts if alert.id not in known]
    if not now.alarmed and ended:
        newest = ended[-1]
        fresh = [(RECOVERY, f"{newest.id}:over", replace(newest.alert, version=now.version, window=now.window))]
    return [_entry(kind, name, alert, channel, at) for kind, name, alert in fresh for channel in channels or (NOBODY,)]


def due(log: Sequence[Entry], channel: str, window: timedelta, at: datetime) -> list[list[Entry]]:
    """What is to be said in a channel now, a list a message: ended alarms with their end, then the alarms that are on;
    those are gathered for `window` from the last message on.
    """
    waiting = [entry for entry in log if entry.channel == channel and entry.state in (PENDING, FAILED)]
    messages: list[list[Entry]] = []
    for over in [entry for entry in waiting if entry.kind == RECOVERY]:
        messages.append([entry for entry in waiting if entry.raised_at <= over.raised_at])
        waiting = [entry for entry in waiting if entry.raised_at > over.raised_at]
    sent = [
        entry.changed_at for entry in log if entry.channel == channel and entry.kind == ALARM and entry.state == SENT
    ]
    gathering = bool(sent) and at - max(sent) < window
    return messages if gathering or not waiting else [*messages, waiting]


def announce(
    table: str,
    now: Standing,
    channels: Sequence[str],
    send: Send,
    *,
    at: datetime,
    window: timedelta,
    page: str,
    lock: Path,
    details: bool = True,
) -> list[Entry]:
    """Record what is new, send what is due and record what came of it, channel by channel; returns the model's log.

    A run that is killed between a sending and its record sends again: an alarm told twice is better than one lost. Of
    two runs at once on one machine the second waits at the file `lock`; on two machines that share the table, the one
    that comes second to a new alarm leaves it to the other.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(lock):
        before = delta.transaction_version(table, WRITES)
        try:
            write_log(table, recorded(read_log(table, now.model), now, channels, at), before)
        except Overtaken:
            return read_log(table, now.model)
        log = read_log(table, now.model)
        for channel in channels:
            for entries in due(log, channel, window, at):
                result = send(channel, _message(log, entries, now, page, details=details))
                _note(table, [_after(entry, result, at) for entry in entries])
        return read_log(table, now.model)


@retry(retry=retry_if_exception_type(Overtaken), stop=stop_after_attempt(5), reraise=True)
def _note(table: str, entries: Sequence[Entry]) -> None:
    """What came of a sending, whoever else has written: it has happened."""
    write_log(table, entries, delta.transaction_version(table, WRITES))


def _message(log: Sequence[Entry], entries: Sequence[Entry], now: Standing, page: str, *, details: bool) -> Message:
    """The end of an alarm where it is over, with all that it was; else the alarms."""
    over = [entry for entry in entries if entry.kind == RECOVERY]
    if not over:
        return alarm_message([entry.alert for entry in entries], page, details=details)
    # A channel that was down for the alarm hears of it with its end.
    ended = _ended(log, over[-1])
    alerts = list({entry.id: entry.alert for entry in ended}.values())
    return recovery_message(now, alerts, page, min(entry.raised_at for entry in ended))


def _ended(log: Sequence[Entry], over: Entry) -> list[Entry]:
    earlier = [entry for entry in log if entry.raised_at < over.raised_at]
    return open_entries(earlier)


def _entry(kind: str, name: str, alert: Alert, channel: str, at: datetime) -> Entry:
    state = PENDING if channel else RECORDED
    fields = (alert.model, alert.version, alert.window, alert.monitor, alert.severity, alert.reasons)
    return Entry(name, channel, kind, *fields, raised_at=at, state=state, attempts=0, error="", changed_at=at)


def _after(entry: Entry, result: Delivery, at: datetime) -> Entry:
    attempts = entry.attempts + result.attempts
    return replace(
        entry,
        state=SENT if result.sent else FAILED if attempts < MOST_ATTEMPTS else GIVEN_UP,
        attempts=attempts,
        error=result.error,
        changed_at=at,
    )
