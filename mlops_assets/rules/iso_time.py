"""ISO 8601 dates and instants in strings, in the one form that every engine reads alike.

`YYYY-MM-DD`, optionally followed by `T` or a blank, `HH:MM`, seconds with up to nine decimals (six are
kept) and `Z` or an offset. Years run from 0001 to 9999. Without an offset a time is UTC.
"""

import re
from datetime import UTC, date, datetime, timedelta

_YEAR = "(?:[0-9]{3}[1-9]|[0-9]{2}[1-9][0-9]|[0-9][1-9][0-9]{2}|[1-9][0-9]{3})"
_DAY = _YEAR + "-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
_CLOCK = "([01][0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9])(?:[.]([0-9]{1,6})[0-9]{0,3})?)?"
_OFFSET = "Z|([+-])([01][0-9]|2[0-3]):?([0-5][0-9])"
# Groups: 1 day, 2 hour, 3 minute, 4 second, 5 fraction, 6 sign, 7 and 8 hours and minutes of the offset.
PATTERN = f"({_DAY})(?:[T ]{_CLOCK}(?:{_OFFSET})?)?"
_ISO = re.compile(PATTERN)
EPOCH = datetime(1970, 1, 1)


def parse_date(text: str) -> date | None:
    """The day a string names, its time of day left out; None where it names none."""
    match = _ISO.fullmatch(text)
    if match is None:
        return None
    try:
        return date.fromisoformat(match.group(1))
    except ValueError:
        return None


def parse_microseconds(text: str) -> int | None:
    """Microseconds from 1970-01-01 UTC to the instant a string names; None where it names none."""
    match, day = _ISO.fullmatch(text), parse_date(text)
    if match is None or day is None:
        return None
    hour, minute, second = (int(part or 0) for part in match.group(2, 3, 4))
    seconds = (day.toordinal() - EPOCH.toordinal()) * 86_400 + hour * 3600 + minute * 60 + second
    offset = int(match.group(7) or 0) * 3600 + int(match.group(8) or 0) * 60
    seconds += offset if match.group(6) == "-" else -offset
    return seconds * 1_000_000 + int((match.group(5) or "").ljust(6, "0"))


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970-01-01: UTC of an aware datetime, the clock's own of a naive one."""
    naive = moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    return (naive - EPOCH) // timedelta(microseconds=1)
