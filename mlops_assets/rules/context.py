"""The context that a rule is evaluated in: the instant, the tolerance, the other tables."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

# What `.str.strip()` takes off: the white space of Python's own str.strip().
SPACES = "".join(c for c in map(chr, range(0x3001)) if c.isspace())


@dataclass(frozen=True)
class EvaluationContext:
    """`as_of` is read once; `tables` maps table names to frames of the engine."""

    as_of: datetime | None = None
    tolerance: float | None = None
    tables: Mapping[str, Any] = field(default_factory=dict)
    now: datetime = field(init=False)

    def __post_init__(self) -> None:
        if self.as_of is not None and self.as_of.tzinfo is None:
            raise ValueError(f"as_of {self.as_of.isoformat()} has no time zone; pass an aware datetime")
        if self.tolerance is not None and not self.tolerance >= 0:
            raise ValueError(f"tolerance {self.tolerance} is negative")
        object.__setattr__(self, "now", self.as_of or datetime.now(UTC))
