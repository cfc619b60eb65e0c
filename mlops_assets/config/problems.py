"""What is wrong with a document, where, and what would be right."""

import difflib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

UNKNOWN_FIELD = "unknown field"


@dataclass(frozen=True)
class Problem:
    """One mistake in one file: `line` and `column` count from 1, `field` is dotted and may be empty. A variable of the
    environment has line 0.
    """

    file: str
    line: int
    column: int
    field: str
    message: str
    hint: str = ""
    label: str | None = None
    picture: str = ""

    @classmethod
    def of_file(cls, file: str, message: str, hint: str = "") -> Self:
        """A mistake of a file, folder or variable as a whole."""
        return cls(file, 1, 1, "", message, hint)

    def __str__(self) -> str:
        """`file:line:column: field: message; hint`; a picture of the text, with the hint, stands below."""
        subject = self.field if self.label is None else self.label
        joint = ", " if self.message == UNKNOWN_FIELD else "; "
        hint = "" if self.picture else self.hint
        text = joint.join(part for part in (self.message, hint) if part)
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        line = ": ".join(part for part in (place, subject, text) if part)
        return f"{line}\n{self.picture}" if self.picture else line


class ConfigError(Exception):
    """Every problem of the documents that were loaded together; its text is one line for each."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Sorts the problems by file and position and drops duplicates."""
        unique = dict.fromkeys(problems)
        self.problems: tuple[Problem, ...] = tuple(sorted(unique, key=lambda each: (each.file, each.line, each.column)))
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[type["ConfigError"], tuple[tuple[Problem, ...]]]:
        """Pickles by its problems, so that it crosses process borders whole."""
        return type(self), (self.problems,)


def shown(path: Path) -> str:
    """A path as a person reads it: relative to the current folder where it lies below it."""
    absolute, current = os.path.abspath(path), os.getcwd()
    below = absolute.startswith(current.rstrip(os.sep) + os.sep)
    return os.path.relpath(absolute, current) if below else absolute


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`did you mean 'x'?` for the known name nearest to `name`, or nothing where none is near."""
    by_lower = {each.lower(): each for each in known}
    near = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return f"did you mean '{by_lower[near[0]]}'?" if near else ""


def one_of(names: Iterable[str]) -> str:
    """`a, b or c` of names in quotes."""
    quoted = [f"'{name}'" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"
