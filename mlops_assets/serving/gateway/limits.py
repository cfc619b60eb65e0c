"""How many requests an endpoint takes per minute: a bucket that fills evenly and holds one second's worth or more."""

import math
import time
from dataclasses import dataclass


@dataclass
class Bucket:
    """What is left of a rate; a burst of up to a tenth of a minute's requests passes at once."""

    per_minute: int
    level: float = -1.0
    seen: float = 0.0

    def take(self, now: float | None = None) -> float:
        """Take one request: 0 where it may pass, else the seconds until one may."""
        moment = time.monotonic() if now is None else now
        most = max(1.0, self.per_minute / 10)
        if self.level < 0:
            self.level, self.seen = most, moment
        self.level = min(most, self.level + (moment - self.seen) * self.per_minute / 60)
        self.seen = moment
        if self.level < 1:
            return (1 - self.level) * 60 / self.per_minute
        self.level -= 1
        return 0.0


def retry_after(seconds: float) -> str:
    """The header's value: whole seconds, at least one."""
    return str(max(1, math.ceil(seconds)))
