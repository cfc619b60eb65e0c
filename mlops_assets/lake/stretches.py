"""Which of bronze's rows a run has still to refine, cut into stretches that fit into memory.

A position says how far a table has come: a version of bronze whose rows it has all, and how many rows of the next one.
Stretches between two positions are the same rows whenever they are asked for, so that a kill between any two commits
leaves nothing to guess.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from mlops_assets.lake import current, log
from mlops_assets.lake.errors import LakeError, Overtaken
from mlops_assets.lake.foreign import opened

ROWS = 40  # bits
PARTITION = "_partition"  # bronze's column of a document with partitions


@dataclass(frozen=True, order=True)
class Position:
    """All rows of bronze's versions up to `version`, and the first `rows` of the next."""

    version: int = -1
    rows: int = 0

    def recorded(self, name: str) -> dict[str, int]:
        """The one transaction that says so, so that an engine that takes one a commit has it in that of the rows."""
        return {f"{name}:rows": (self.version + 1 << ROWS) + self.rows} if self.rows else {name: self.version}


@dataclass(frozen=True)
class Stretch:
    """Rows between two positions: those of the data files `files`, or of one version's only those whose `_row_id` is at
    least `skip` and, by `take`, one of so many; without files, all rows of the table at the end's version; or, where it
    `corrects`, what that one version put in place of others.
    """

    start: Position | None
    end: Position
    files: tuple[log.Added, ...] | None = None
    skip: int = 0
    take: int | None = None
    corrects: bool = False
    partition: str | None = None
    parted: bool = False


@dataclass(frozen=True)
class Scope:
    """Which of bronze's rows: all, or those of one partition (None: of no partition that the document has)."""

    parted: bool = False
    partition: str | None = None

    @property
    def name(self) -> str:
        """The transaction's name in the tables that are made from these rows."""
        return "bronze" if not self.parted else f"bronze:{self.partition or ''}"

    def has(self, file: log.Added) -> bool:
        """Whether the rows of a data file are meant."""
        return not self.parted or file.partition.get(PARTITION) == self.partition


def position(path: str, name: str) -> Position | None:
    """How far the table at `path` has come, or None where it has nothing."""
    return _decoded(recorded(path, name), name)


def recorded(path: str, name: str) -> dict[str, int | None]:
    """What the table says of it, as it is recorded."""
    table = current.current(path)
    return {each: current.recorded(path, table, each) if table else None for each in (name, f"{name}:rows")}


def seen(path: str, start: Position | None, name: str) -> dict[str, int | None]:
    """What a table says that has come to `start`, for the writer to find unchanged.

    Raises:
        Overtaken: it has come to somewhere else.
    """
    found = recorded(path, name)
    if (_decoded(found, name) or Position()) != (start or Position()):
        raise Overtaken(f"{path}: another run has come to {_decoded(found, name)}; this one was at {start}")
    return found


def _decoded(found: Mapping[str, int | None], name: str) -> Position | None:
    version, rows = found[name], found[f"{name}:rows"]
    complete = [] if version is None else [Position(version)]
    parts = [] if rows is None else [Position((rows >> ROWS) - 1, rows & (1 << ROWS) - 1)]
    return max(complete + parts, default=None)


def stretches(path: str, start: Position | None, until: int, scope: Scope, size: int | None) -> list[Stretch]:
    """The changes between `start` and version `until`, in stretches of about `size` rows (None: as few as possible)."""
    size = None if scope.parted else size
    if start is None:
        found = _from_the_beginning(path, until, scope)
        if found is None and not _has_rows(path, until, scope):
            return []
        if found is None:
            return [Stretch(None, Position(until), partition=scope.partition, parted=scope.parted)]
        return _cut(found, Position(), scope, size) or [_stretch(Position(), Position(until), (), 0, None, scope)]
    return _cut(log.commits(path, start.version, until), start, scope, size)


def between(path: str, start: Position | None, end: Position, scope: Scope) -> list[Stretch]:
    """Exactly the changes between two positions."""
    if start is None and not end.rows and _from_the_beginning(path, end.version, scope) is None:
        return stretches(path, None, end.version, scope, None)
    first = start or Position()
    done = log.commits(path, first.version, end.version + bool(end.rows))
    complete = [commit for commit in done if commit.version <= end.version]
    found = _cut(complete, first, scope, None)
    if end.rows:
        skip = first.rows if not complete else 0
        files = tuple(file for file in done[-1].added if scope.has(file))
        found.append(_stretch(Position(end.version, skip), end, files, skip, end.rows - skip, scope))
    return found


def _from_the_beginning(path: str, until: int, scope: Scope) -> list[log.Commit] | None:
    """All commits if the log still has them and all only add rows, else None; a partition is read from the table."""
    if scope.parted:
        return None
    try:
        done = log.commits(path, -1, until)
    except LakeError:
        return None
    return done if all(commit.appends for commit in done) else None


def _cut(done: Sequence[log.Commit], start: Position, scope: Scope, size: int | None) -> list[Stretch]:
    """Commits grouped up to `size` rows; a larger one is split, one that corrects rows is a stretch by itself."""
    found: list[Stretch] = []
    pending: list[log.Added] = []
    rows, last, skip = 0, start, start.rows
    for commit in done:
        files = [file for file in commit.added if scope.has(file)]
        count = sum(file.rows or 0 for file in files)
        if pending and (skip or not commit.appends or (size and rows + count > size)):
            found.append(_stretch(last, Position(commit.version - 1), pending, skip, None, scope))
            pending, rows, last, skip = [], 0, Position(commit.version - 1), 0
        if not commit.appends:
            found.append(Stretch(last, Position(commit.version), corrects=True))
            last, skip = Position(commit.version), 0
            continue
        while size and count - skip > size:
            end = Position(commit.version - 1, skip + size)
            found.append(_stretch(last, end, files, skip, size, scope))
            last, skip = end, skip + size
        pending, rows = [*pending, *files], rows + count
    if pending:
        found.append(_stretch(last, Position(done[-1].version), pending, skip, None, scope))
    return found


def _stretch(
    start: Position, end: Position, files: Sequence[log.Added], skip: int, take: int | None, scope: Scope
) -> Stretch:
    return Stretch(start, end, tuple(files), skip, take, partition=scope.partition, parted=scope.parted)


def _has_rows(path: str, until: int, scope: Scope) -> bool:
    """Whether the table has a file of the partition."""
    if not scope.parted:
        return True
    wanted = scope.partition or ""
    return any(str(each.get(PARTITION) or "") == wanted for each in opened(path, until).partitions())


def partitions_since(path: str, start: Mapping[str, int], until: int) -> list[str]:
    """The partitions that have rows which the table that recorded `start` has not."""
    table = opened(path, until)
    names = table.get_add_actions(flatten=True)
    column = f"partition.{PARTITION}"
    if column not in names.schema.names:
        return []
    found = set(pl.DataFrame(names)[column])
    return sorted(str(key) for key in found if key is not None and start.get(f"bronze:{key}", -1) < until)
