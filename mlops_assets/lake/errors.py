"""What can go wrong with a user's data, in one sentence each."""

from collections.abc import Iterable
from difflib import get_close_matches


class LakeError(Exception):
    """A source or table cannot be read or written as its document says. Nothing was changed."""


class SourceMissing(LakeError):
    """A document's source does not exist."""


class SourceChanged(LakeError):
    """A source file that was ingested before has other content now."""


class Overtaken(LakeError):
    """Another run has written what this one was about to; nothing was written."""


class RowsLost(LakeError):
    """A step's rows do not add up. A defect of this package, never of the data."""


def nearest(name: str, names: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the most similar of `names`, or nothing."""
    close = get_close_matches(name, list(names), n=1)
    return f"; did you mean '{close[0]}'?" if close else ""
