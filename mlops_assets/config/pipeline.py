"""A pipeline document: the project's name, owner, schedule, retries and notifications about runs."""

import re
import zoneinfo
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator

from mlops_assets.config.base import Environment, Name, StrictModel, Whole, refuse
from mlops_assets.config.problems import did_you_mean

_CRON_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_CRON_NAMES = {
    "month": {name: number for number, name in enumerate(_MONTHS, 1)},
    "weekday": {name: number for number, name in enumerate(_WEEKDAYS)},
}
_LENGTHS = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}  # days of the months that have no 31
_CRON_MACROS = ("@hourly", "@daily", "@weekly", "@monthly", "@yearly")
_CRON_ITEM = re.compile(r"(?:\*|(?P<low>\w+)(?:-(?P<high>\w+))?)(?:/(?P<step>\d+))?", re.ASCII)


def _cron_number(text: str | None, name: str) -> int | None:
    return int(text) if text and text.isdigit() else _CRON_NAMES.get(name, {}).get((text or "").lower())


def _cron_item_fits(item: str, name: str, first: int, last: int) -> bool:
    found = _CRON_ITEM.fullmatch(item)
    if not found or found["step"] == "0":
        return False
    if name == "day" and item.lower() == "l":
        return True
    bounds = [_cron_number(text, name) for text in (found["low"], found["high"]) if text]
    inside = all(bound is not None and first <= bound <= last for bound in bounds)
    return inside and bounds == sorted(bound for bound in bounds if bound is not None)


def _comes(day: str, months: str) -> bool:
    """Whether one of the months has such a day; whatever is no plain number may."""
    numbers = [_cron_number(month, "month") for month in months.split(",")]
    return not day.isdigit() or any(month is None or int(day) <= _LENGTHS.get(month, 31) for month in numbers)


def check_cron(text: str) -> str:
    """Passes a cron line of five fields (minute hour day month weekday) or a macro such as `@daily`."""
    if text in _CRON_MACROS:
        return text
    parts = text.split()
    if len(parts) != len(_CRON_FIELDS):
        raise refuse(
            f"'{text}' has {len(parts)} fields, cron has five: minute hour day month weekday",
            "such as '0 3 * * *' for every day at 3",
        )
    for part, (name, first, last) in zip(parts, _CRON_FIELDS, strict=True):
        if not all(_cron_item_fits(item, name, first, last) for item in part.split(",")):
            raise refuse(f"'{part}' is not a {name} in a cron schedule ({first} to {last})")
    day, months, weekday = parts[2:]
    if weekday == "*" and not _comes(day, months):
        raise refuse(f"'{text}' never comes: there is no day {day} in month {months}", "'L' is a month's last day")
    return text


def check_timezone(name: str) -> str:
    """Passes the name of a time zone in the IANA database, such as `Europe/Zurich`."""
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        hint = did_you_mean(name, zoneinfo.available_timezones()) or "write an IANA name such as 'Europe/Zurich'"
        raise refuse(f"unknown time zone '{name}'", hint) from None
    return name


class ScheduleConfig(StrictModel):
    """When the pipeline runs by itself."""

    cron: Annotated[Name, AfterValidator(check_cron)] = Field(
        description="Cron line of five fields: minute hour day month weekday."
    )
    timezone: Annotated[str, AfterValidator(check_timezone)] = Field(
        default="UTC", description="IANA time zone the cron line is read in."
    )
    pause_status: Literal["PAUSED", "UNPAUSED"] | None = Field(
        default=None,
        description="Whether the schedule, and the sensors that start runs, start switched on (UNPAUSED); by default "
        "in production only.",
    )

    @field_validator("pause_status", mode="before")
    @classmethod
    def _upper(cls, value: Any) -> Any:
        return value.upper() if isinstance(value, str) else value


class NotificationConfig(StrictModel):
    """Mails about runs."""

    on_start: bool = Field(default=False, description="Notify when a run starts.")
    on_success: bool = Field(default=False, description="Notify when a run succeeds.")
    on_failure: bool = Field(default=True, description="Notify when a run fails.")
    recipients: list[Name] = Field(default=[], description="Mail addresses; without any, no mail is sent.")


def normal_owner(owner: str) -> str:
    """An e-mail address or `team:<name>` as it is; any other name becomes `team:<name>`, also an address that Dagster
    does not take for one.
    """
    if re.fullmatch(r"[\w.%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,7}", owner, re.ASCII) or re.fullmatch(r"team:\S+", owner):
        return owner
    name = re.sub(r"[^\w.-]+", "_", owner.removeprefix("team:")).strip("_")
    if not name:
        raise refuse(f"'{owner}' names no owner", "write an e-mail address or a team's name")
    return f"team:{name}"


class PipelineConfig(StrictModel):
    """The project's pipeline: owner, environment, schedule, retries, dependencies and notifications."""

    name: Name = Field(description="Pipeline name, which other projects' dependencies refer to.")
    description: str = Field(default="", description="Pipeline description.")
    owner: Annotated[Name, AfterValidator(normal_owner)] = Field(
        description="Owner email/username; a name that is not an e-mail address becomes team:<name>."
    )
    tags: dict[Name, str] = Field(default={}, description="Pipeline tags.")
    timeout_minutes: Whole = Field(default=60, ge=1, description="Pipeline timeout, in minutes.")
    retry_attempts: Whole = Field(default=0, ge=0, le=100, description="Number of retry attempts.")
    environment: Environment = Field(description="Execution environment (dev, staging, prod).")
    schedule: ScheduleConfig | None = Field(default=None, description="Scheduling configuration.")
    dependencies: list[Name] = Field(
        default=[], description="Names of pipelines; this one runs after each success of one of them."
    )
    notification: NotificationConfig | None = Field(default=None, description="Notification settings.")
