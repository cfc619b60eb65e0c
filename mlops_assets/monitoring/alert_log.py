"""Sends alerts once per channel: what was sent is not repeated, what could not be sent is tried again later."""

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
    """The alarms since the last recovery."""
    last = max((entry.raised_at for entry in log if entry.kind == RECOVERY), default=None)
    return [entry for entry in log if entry.kind == ALARM and (last is None or entry.raised_at > last)]


def new_entries(log: Sequence[Entry], now: Standing, channels: Sequence[str], at: datetime) -> list[Entry]:
    """The entries to add: alerts not yet recorded since the last recovery, or the recovery of the open alarms."""
    ended = open_entries(log)
    known = {entry.alert.id for entry in ended}
    episode = len({entry.id for entry in log if entry.kind == RECOVERY}) + 1
    again = f"#{episode}" if episode > 1 else ""
    fresh = [(ALARM, alert.id + again, alert) for alert in now.alerts if alert.id not in known]
    if not now.alarmed and ended:
        newest = ended[-1]
        fresh = [(RECOVERY, f"{newest.id}:over", replace(newest.alert, version=now.version, window=now.window))]
    return [_entry(kind, name, alert, channel, at) for kind, name, alert in fresh for channel in channels or (NOBODY,)]


def due_messages(log: Sequence[Entry], channel: str, window: timedelta, at: datetime) -> list[list[Entry]]:
    """The messages due in a channel, each a list of entries: recoveries with their alarms, then the open alarms.

    After a message with alarms, open alarms are collected for `window` before the next one.
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
    """Record new alerts, send what is due and record each delivery, channel by channel; returns the model's log.

    A run that is killed between sending and recording sends again: a repeated alarm is better than a lost one. Of two
    concurrent runs on one machine the second waits for the file `lock`; on two machines that share the table, the
    second to record a new alarm leaves it to the first.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(lock):
        before = delta.transaction_version(table, WRITES)
        try:
            write_log(table, new_entries(read_log(table, now.model), now, channels, at), before)
        except Overtaken:
            return read_log(table, now.model)
        log = read_log(table, now.model)
        for channel in channels:
            for entries in due_messages(log, channel, window, at):
                result = send(channel, _message(log, entries, now, page, details=details))
                _record_delivery(table, [_entry_after(entry, result, at) for entry in entries])
        return read_log(table, now.model)


@retry(retry=retry_if_exception_type(Overtaken), stop=stop_after_attempt(5), reraise=True)
def _record_delivery(table: str, entries: Sequence[Entry]) -> None:
    """Record the result of a delivery, even if another run has written to the log in between."""
    write_log(table, entries, delta.transaction_version(table, WRITES))


def _message(log: Sequence[Entry], entries: Sequence[Entry], now: Standing, page: str, *, details: bool) -> Message:
    """The recovery message with all alarms it ends, if there is one among the entries; else the alarm message."""
    over = [entry for entry in entries if entry.kind == RECOVERY]
    if not over:
        return alarm_message([entry.alert for entry in entries], page, details=details)
    # A channel that was down during the alarm gets it together with the recovery.
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


def _entry_after(entry: Entry, result: Delivery, at: datetime) -> Entry:
    attempts = entry.attempts + result.attempts
    return replace(
        entry,
        state=SENT if result.sent else FAILED if attempts < MOST_ATTEMPTS else GIVEN_UP,
        attempts=attempts,
        error=result.error,
        changed_at=at,
    )
