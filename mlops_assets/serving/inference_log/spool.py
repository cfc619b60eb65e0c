"""Requests on their way to an inference table: append-only files that the gateway writes and `log_writer` reads.

A gateway makes spools of its own, one a table. A spool is one stream of bytes over its segments, each named by the byte
it begins with: how far it is in its table is one number, the version of the spool's Delta transaction.
"""

import json
import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from mlops_assets.serving.gateway.files import write_atomically

LABEL, SUFFIX = "table.json", ".tsv"
SEGMENT_BYTES = 64 << 20


class Spool:
    """The gateway's end: one spool, written by one process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.end = 0
        self._open: int | None = None
        self._begin = 0

    @classmethod
    def begun(cls, root: Path, gateway: str, table: str) -> "Spool":
        """A new one under `root`, that of one gateway for `table`."""
        folder = root / f"{gateway}-{sha256(table.encode()).hexdigest()[:16]}"
        write_atomically(folder / LABEL, json.dumps({"table": table}))
        return cls(folder)

    def append(self, lines: bytes) -> None:
        """Add requests, each a line with the only line break in it at its end. Raises OSError where the disk refuses:
        what `end` has grown by is there.
        """
        if self._open is None:
            path = self.folder / f"{self.end:020d}{SUFFIX}"
            self._begin, self._open = self.end, os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        written = 0
        try:
            while written < len(lines):
                written += os.write(self._open, lines[written:] if written else lines)
        finally:
            self.end += written
            # A torn line may only be the last one of its segment.
            if written < len(lines) or self.end - self._begin >= SEGMENT_BYTES:
                os.close(self._open)
                self._open = None


class Spooled:
    """The writer's end: what waits in one spool's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.table = str(json.loads((folder / LABEL).read_text(encoding="utf-8"))["table"])

    @classmethod
    def under(cls, root: Path) -> "Iterator[Spooled]":
        """Every spool under `root`."""
        return (cls(label.parent) for label in sorted(root.glob(f"*/{LABEL}")))

    def end(self) -> int:
        """The byte that the next line begins with."""
        segments = self._segments()
        return begin_of(segments[-1]) + segments[-1].stat().st_size if segments else 0

    def sync(self) -> None:
        """Bring the newest segment to disk."""
        for segment in self._segments()[-1:]:
            with segment.open("rb") as file:
                os.fsync(file.fileno())

    def lines(self, done: int, most: int) -> tuple[bytes, int] | None:
        """Whole lines from byte `done` on, about `most` bytes of them, and the byte after; None where there are none.

        Where a segment ends in a torn line, its last bytes are passed over.
        """
        for segment in self._segments():
            begin, size = begin_of(segment), segment.stat().st_size
            if begin + size <= done:
                continue
            with segment.open("rb") as file:
                file.seek(max(0, done - begin))
                found = file.read(most)
                if not found.endswith(b"\n"):
                    found += file.readline()
            whole = found[: found.rfind(b"\n") + 1]
            if whole:
                return whole, max(begin, done) + len(whole)
        return None

    def forget(self, done: int, *, ended: bool) -> None:
        """Delete segments that are in the table: all but the newest, and where its gateway has `ended`, everything."""
        segments = self._segments()
        for segment in segments if ended else segments[:-1]:
            if ended or begin_of(segment) + segment.stat().st_size <= done:
                segment.unlink()
        if ended:
            (self.folder / LABEL).unlink()
            self.folder.rmdir()

    def _segments(self) -> list[Path]:
        return sorted(self.folder.glob(f"*{SUFFIX}"))


def begin_of(segment: Path) -> int:
    """The byte of its spool that a segment begins with."""
    return int(segment.stem)
