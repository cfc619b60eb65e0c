r"""Regular expressions in the subset on which Rust, Java and Python agree.

A pattern is parsed once and rendered for each dialect: `.` is anything but a line feed, `$` the end
of the text, `\d \w \s \b` ASCII. Look-around, back-references and flags are refused, and so is a pattern that
a backtracking matcher could take exponential time over (`(a+)+`).
"""

import re
import re._constants as sre  # type: ignore[import-not-found]
import re._parser as sre_parser  # type: ignore[import-not-found]
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from mlops_assets.rules.ambiguity import is_ambiguous

MAX_NODES = 3000

_CLASSES = {
    sre.CATEGORY_DIGIT: "0-9",
    sre.CATEGORY_SPACE: r"\x09-\x0d\x20",
    sre.CATEGORY_WORD: "0-9A-Za-z_",
    sre.CATEGORY_NOT_DIGIT: r"\x00-\x2f\x3a-\x{10FFFF}",
    sre.CATEGORY_NOT_SPACE: r"\x00-\x08\x0e-\x1f\x21-\x{10FFFF}",
    sre.CATEGORY_NOT_WORD: r"\x00-\x2f\x3a-\x40\x5b-\x5e\x60\x7b-\x{10FFFF}",
}
_REFUSED = {
    sre.ASSERT: "look-around",
    sre.ASSERT_NOT: "look-around",
    sre.GROUPREF: "a back-reference",
    sre.GROUPREF_EXISTS: "a back-reference",
    sre.ATOMIC_GROUP: "an atomic group",
    sre.POSSESSIVE_REPEAT: "a possessive quantifier",
}
_BOUNDARY = {
    "rust": r"(?-u:\b)",
    "java": "(?:(?<=[0-9A-Za-z_])(?![0-9A-Za-z_])|(?<![0-9A-Za-z_])(?=[0-9A-Za-z_]))",
    "python": "(?:(?<=[0-9A-Za-z_])(?![0-9A-Za-z_])|(?<![0-9A-Za-z_])(?=[0-9A-Za-z_]))",
}


class PatternError(Exception):
    """A pattern outside the subset; `position` counts its characters from 0."""

    def __init__(self, message: str, position: int = 0, hint: str = "") -> None:
        super().__init__(message)
        self.message, self.position, self.hint = message, position, hint


@dataclass(frozen=True)
class Pattern:
    """One pattern in each dialect; `literal` if it has no metacharacter and is only searched for."""

    rust: str
    java: str
    python: str
    literal: str | None = None


@lru_cache(maxsize=4096)
def portable(pattern: str, mode: str = "search") -> Pattern:
    """A pattern for search, match (at the start) or fullmatch; PatternError if it is outside the subset."""
    parsed = _parse(pattern)
    size = _size(parsed)
    if size > MAX_NODES:
        raise PatternError(f"a pattern that repeats {size} parts is too large", hint=f"at most {MAX_NODES}")
    if is_ambiguous(parsed):
        raise PatternError("this pattern can take exponential time", hint="do not repeat a repetition, (a+)+")
    before, after = {"search": ("", ""), "match": (r"\A(?:", ")"), "fullmatch": (r"\A(?:", r")\z")}[mode]
    rendered = {d: before + _sequence(parsed, d) + after for d in ("rust", "java", "python")}
    rendered["python"] = rendered["python"].replace(r"\z", r"\Z")
    plain = all(op is sre.LITERAL for op, _ in parsed) and mode == "search"
    return Pattern(**rendered, literal="".join(chr(value) for _, value in parsed) if plain else None)


def _parse(pattern: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", FutureWarning)
            parsed = sre_parser.parse(pattern, re.ASCII)
    except re.error as error:
        raise PatternError(f"not a regular expression: {error.msg}", error.pos or 0) from None
    except (RecursionError, OverflowError, FutureWarning) as error:
        raise PatternError(f"not a regular expression: {error}") from None
    if parsed.state.flags & ~re.ASCII:
        raise PatternError("flags are not part of the subset", hint="write .str.lower().str.contains('…')")
    return parsed


def _size(parsed: Iterable[tuple[Any, Any]]) -> int:
    return sum(_part_size(op, value) for op, value in parsed)


def _part_size(op: Any, value: Any) -> int:
    if op in _REFUSED:
        raise PatternError(f"{_REFUSED[op]} is not part of the subset")
    if op in (sre.MAX_REPEAT, sre.MIN_REPEAT):
        low, high, inner = value
        return (low + 1 if high is sre.MAXREPEAT else max(int(high), 1)) * (1 + _size(inner))
    if op is sre.BRANCH:
        return 1 + sum(_size(branch) for branch in value[1])
    if op is sre.SUBPATTERN:
        if value[1] or value[2]:
            raise PatternError("flags are not part of the subset", hint="write .str.lower().str.contains('…')")
        return 1 + _size(value[3])
    return len(value) if op is sre.IN else 1


def _sequence(parsed: Iterable[tuple[Any, Any]], dialect: str) -> str:
    return "".join(_part(op, value, dialect) for op, value in parsed)


def _part(op: Any, value: Any, dialect: str) -> str:
    if op is sre.LITERAL:
        return _character(value)
    if op is sre.NOT_LITERAL:
        return f"[^{_character(value)}]"
    if op is sre.ANY:
        return r"[^\x0a]"
    if op is sre.IN:
        return _set(value, dialect)
    if op is sre.BRANCH:
        return "(?:" + "|".join(_sequence(branch, dialect) for branch in value[1]) + ")"
    if op is sre.SUBPATTERN:
        return f"(?:{_sequence(value[3], dialect)})"
    if op is sre.AT:
        return _at(value, dialect)
    return _repeat(op, value, dialect)


def _repeat(op: Any, value: Any, dialect: str) -> str:
    low, high, inner = value
    count = f"{{{low},{'' if high is sre.MAXREPEAT else int(high)}}}"
    lazy = "?" if op is sre.MIN_REPEAT else ""
    return f"(?:{_sequence(inner, dialect)}){count}{lazy}"


def _at(anchor: Any, dialect: str) -> str:
    if anchor in (sre.AT_BEGINNING, sre.AT_BEGINNING_STRING):
        return r"\A"
    if anchor in (sre.AT_END, sre.AT_END_STRING):
        return r"\z"
    if anchor is sre.AT_BOUNDARY:
        return _BOUNDARY[dialect]
    raise PatternError(r"\B is not part of the subset")


def _set(items: list[tuple[Any, Any]], dialect: str) -> str:
    negate = items[0][0] is sre.NEGATE
    body = "".join(_member(op, value) for op, value in items if op is not sre.NEGATE)
    if dialect == "python":
        body = body.replace(r"\x{10FFFF}", "\U0010ffff")
    return f"[{'^' if negate else ''}{body}]"


def _member(op: Any, value: Any) -> str:
    if op is sre.LITERAL:
        return _character(value)
    if op is sre.RANGE:
        return f"{_character(value[0])}-{_character(value[1])}"
    return _CLASSES[value]


def _character(code: int) -> str:
    character = chr(code)
    if code > 0x7F or character.isalnum():
        return character
    return f"\\x{code:02x}"
