"""The one error of the rule language: what is wrong, where, and what would be right."""

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

WIDTH = 160


class RuleError(Exception):
    """A rule that cannot be read or does not fit its table.

    `line` and `column` count characters of the rule's own text, from 1.
    """

    def __init__(self, message: str, text: str, start: int, end: int | None = None, hint: str = "") -> None:
        super().__init__(message)
        self.message, self.text, self.hint = message, text, hint
        self.line = text.count("\n", 0, start) + 1
        self.column = start - (text.rfind("\n", 0, start) + 1) + 1
        self._length = max(1, (end or start + 1) - start)

    def __str__(self) -> str:
        return f"{self.line}:{self.column}: {self.message}\n{self.picture()}"

    def __reduce__(self) -> tuple[object, ...]:
        start = sum(len(line) + 1 for line in self.text.split("\n")[: self.line - 1]) + self.column - 1
        return type(self), (self.message, self.text, start, start + self._length, self.hint)

    def picture(self) -> str:
        """The line of the rule with carets under the token, and the hint behind them."""
        shown, offset = _window(self.text.split("\n")[self.line - 1], self.column - 1)
        before = "".join("\t" if c == "\t" else " " for c in shown[:offset])
        carets = "^" * max(1, min(self._length, len(shown) - offset))
        return f"    {shown}\n    {before}{carets}" + (f"    {self.hint}" if self.hint else "")


def nearest(name: str, known: "Iterable[str]") -> str:
    """A hint that names the closest of `known`, or lists the first of them."""
    names = sorted(set(known))
    close = get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{close[0]}'?"
    return f"known are {', '.join(names[:8])}{', …' if len(names) > 8 else ''}" if names else ""


def _window(line: str, offset: int) -> tuple[str, int]:
    if len(line) <= WIDTH:
        return line, offset
    start = max(0, offset - WIDTH // 2)
    cut = line[start : start + WIDTH]
    return ("…" if start else "") + cut + "…", offset - start + (1 if start else 0)
