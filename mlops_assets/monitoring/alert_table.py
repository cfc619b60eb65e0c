"""The table of alerts: one row per alert and channel, with its delivery state."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import polars as pl

from mlops_assets.lake import delta
from mlops_assets.monitoring.alerts import Alert

ALARM, RECOVERY = "alarm", "recovery"
PENDING, FAILED, SENT, RECORDED, GIVEN_UP = "pending", "failed", "sent", "recorded", "given up"
MOST_ATTEMPTS = 60  # of one entry in one channel, over the runs
WRITES = "told"  # the transaction that numbers the writes, by the name that tables have it under
NOBODY = ""  # the channel of an alert if the document has none: recorded, but sent to nobody
INSTANT = pl.Datetime("us", "UTC")
LOG_SCHEMA = pl.Schema(
    {
        "id": pl.String(),
        "channel": pl.String(),
        "kind": pl.String(),
        "model": pl.String(),
        "version": pl.String(),
        "window": pl.String(),
        "monitor": pl.String(),
        "severity": pl.Float64(),
        "reasons": pl.List(pl.String()),
        "raised_at": INSTANT,
        "state": pl.String(),
        "attempts": pl.Int64(),
        "error": pl.String(),
        "changed_at": INSTANT,
    }
)
"""State is pending (gathered for the next message), sent, failed (sent with the next run), given up (after
MOST_ATTEMPTS) or recorded (no channel).
"""


@dataclass(frozen=True)
class Entry:
    """An alert or a recovery in one channel; instants are in UTC.

    `id` is the alert's, with the number of the episode of alarms from the second on.
    """

    id: str
    channel: str
    kind: str
    model: str
    version: str
    window: str
    monitor: str
    severity: float
    reasons: tuple[str, ...]
    raised_at: datetime
    state: str
    attempts: int
    error: str
    changed_at: datetime

    @property
    def alert(self) -> Alert:
        """The alert of the entry."""
        return Alert(self.model, self.version, self.window, self.monitor, self.severity, self.reasons)


def read_log(table: str, model: str) -> list[Entry]:
    """A model's entries, oldest first; none if there is no table yet."""
    if not delta.exists(table):
        return []
    rows = delta.scan(table).filter(pl.col("model") == model).sort("raised_at", "id", "channel").collect()
    return [Entry(**{**row, "reasons": tuple(row["reasons"] or ())}) for row in rows.iter_rows(named=True)]


def write_log(table: str, entries: Sequence[Entry], after: int | None) -> None:
    """Insert or update entries by id and channel, as the write after number `after`.

    Raises:
        Overtaken: another run has written in between.
    """
    if entries:
        rows = [{**asdict(entry), "reasons": list(entry.reasons)} for entry in entries]
        number, seen = {WRITES: (after or 0) + 1}, {WRITES: after}
        frame = pl.DataFrame(rows, schema=LOG_SCHEMA)
        delta.merge(table, frame, keys=["id", "channel"], transactions=number, seen=seen)
