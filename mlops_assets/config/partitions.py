"""The partitions that a data document declares."""

from datetime import UTC, datetime
from typing import Literal, Self

from pydantic import Field, model_validator

from mlops_assets.config.base import Name, StrictModel, refuse


class PartitionsConfig(StrictModel):
    """The partitions of a table's runs; the run of a partition processes its rows."""

    type: Literal["hourly", "daily", "weekly", "monthly", "static", "dynamic"] = Field(
        description="Length of a time partition (weeks begin on Sunday), or static or dynamic keys."
    )
    column: Name = Field(
        description="Column of the source that assigns a row to a partition: a date or datetime, or the key."
    )
    start: str | None = Field(default=None, description="First instant, ISO 8601, UTC; needed by time partitions.")
    end: str | None = Field(default=None, description="Instant after the last, ISO 8601; open if not given.")
    keys: list[Name] = Field(default=[], description="Keys of static partitions.")

    @property
    def timed(self) -> bool:
        """Whether the partitions are time periods."""
        return self.type not in ("static", "dynamic")

    @model_validator(mode="after")
    def _has_what_its_type_needs(self) -> Self:
        if self.type == "static" and not self.keys:
            raise refuse("static partitions need keys", field="type")
        if self.timed and self.start is None:
            raise refuse(f"{self.type} partitions need a start", field="type")
        for name, text in (("start", self.start), ("end", self.end)):
            if text is not None and not self.timed:
                raise refuse(f"{self.type} partitions have no {name}", "leave it out", field=name)
            if text is not None and not _is_instant(text):
                raise refuse(f"'{text}' is no instant", "write 2024-01-01 or 2024-01-01T06:00", field=name)
        if self.start and self.end and instant(self.end) <= instant(self.start):
            raise refuse("end is not after start: no row belongs to a partition", field="end")
        if self.keys and self.type != "static":
            raise refuse(f"{self.type} partitions have no keys", "leave them out, or say `type: static`", field="keys")
        if len(set(self.keys)) < len(self.keys):
            raise refuse("a key is there twice", field="keys")
        return self


def instant(text: str) -> datetime:
    """An ISO 8601 text as an instant; UTC where it names no zone. Raises ValueError where it is none."""
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _is_instant(text: str) -> bool:
    try:
        instant(text)
    except ValueError:
        return False
    return True
