"""A document as plain data, with the position of every value in its file."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mlops_assets.config.problems import Problem

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Position:
    """A place in a file; line and column count from 1."""

    file: str
    line: int
    column: int

    def problem(self, field: str | Sequence[str | int], message: str, hint: str = "") -> Problem:
        """A mistake of the field that stands here."""
        return Problem(self.file, self.line, self.column, dotted(field), message, hint)


@dataclass(frozen=True)
class Place:
    """Where a value and its key stand and, for a scalar, its text and where that starts."""

    value: Position
    key: Position | None = None
    text: str | None = field(default=None, repr=False)
    text_start: Position | None = None

    @property
    def shown(self) -> Position:
        """Where to point at: a scalar itself, but the key of a mapping or list."""
        return self.value if self.text is not None or self.key is None else self.key


@dataclass(frozen=True)
class Source:
    """The data of one document and the places of its values; `problems` and `warnings` are what was wrong or odd with
    the text, by path.
    """

    file: str
    data: dict[str, Any] = field(repr=False)
    places: dict[Path, Place] = field(repr=False)
    problems: tuple[tuple[Path, Problem], ...] = ()
    warnings: tuple[tuple[Path, str], ...] = ()

    def place(self, path: Path) -> Place:
        """The place of a path or, where the document does not spell it out, of the nearest part around it."""
        while path not in self.places:
            path = path[:-1]
        return self.places[path]

    def path_of(self, field_path: str | Sequence[str | int]) -> Path:
        """A path, also from its dotted form; parts the document does not spell out are left out."""
        parts = field_path.split(".") if isinstance(field_path, str) else field_path
        path: Path = ()
        for part in parts:
            options = (part, int(part)) if isinstance(part, str) and part.isdigit() else (part,)
            path = next(((*path, each) for each in options if (*path, each) in self.places), path)
        return path

    def with_field(self, name: str, other: "Source", at: Path) -> "Source":
        """This document with one whole field taken from another document's `at`."""
        value: Any = other.data
        for part in at:
            value = value[part]
        places = {path: place for path, place in self.places.items() if path[:1] != (name,)}
        moved = {(name, *path[len(at) :]): place for path, place in other.places.items() if path[: len(at)] == at}
        problems = [(path, each) for path, each in self.problems if path[:1] != (name,)]
        problems += [((name, *path[len(at) :]), each) for path, each in other.problems if path[: len(at)] == at]
        warnings = tuple((path, each) for path, each in self.warnings if path[:1] != (name,))
        changed = replace(self, data={**self.data, name: value}, places={**places, **moved})
        return replace(changed, problems=tuple(problems), warnings=warnings)

    def without(self, name: str) -> "Source":
        """This document without one field."""
        data = {key: value for key, value in self.data.items() if key != name}
        places = {path: place for path, place in self.places.items() if path[:1] != (name,)}
        return replace(self, data=data, places=places)

    def renamed(self, old: str, new: str) -> "Source":
        """This document with one field under another name, where it has it; it stands where it stood."""
        return self.with_field(new, self, (old,)).without(old) if old in self.data else self


def dotted(path: str | Sequence[str | int]) -> str:
    """`validation_rules.0.condition`; a text is dotted already."""
    return path if isinstance(path, str) else ".".join(str(part) for part in path)
