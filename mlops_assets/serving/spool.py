"""Requests on their way to an inference table: append-only segments on disk, each committed once.

A line is written before its request is answered, so killing the gateway loses none; fsync, once a second,
is for the machine going down. A sealed segment is committed with its number as the Delta transaction of
this spool, so a gateway killed between commit and deletion does not commit it again.
"""

import json
import os
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from threading import Lock
from uuid import uuid4

from mlops_assets.serving.home import write_atomically

SUFFIX = ".jsonl"


class Spool:
    """The segments that wait for one table."""

    def __init__(self, folder: Path, table: str, app_id: str) -> None:
        self.folder = folder
        self.table = table
        self.app_id = app_id
        self.rows = 0
        self._lock = Lock()
        self._open: int | None = None
        self._dirty = False

    @classmethod
    def of(cls, root: Path, table: str) -> "Spool":
        """The spool under `root` for `table`, made where it is not there yet."""
        folder = root / sha256(table.encode()).hexdigest()[:16]
        label = folder / "table.json"
        if not label.exists():
            write_atomically(label, json.dumps({"table": table, "app_id": f"mlops-gateway-{uuid4()}"}))
        return cls(folder, **json.loads(label.read_text(encoding="utf-8")))

    @classmethod
    def left_in(cls, root: Path) -> list["Spool"]:
        """The spools that an earlier gateway left under `root`."""
        labels = sorted(root.glob("*/table.json"))
        return [cls(label.parent, **json.loads(label.read_text(encoding="utf-8"))) for label in labels]

    def append(self, line: bytes, rows: int) -> None:
        """Add one request, of `rows` rows; `line` holds no line break."""
        with self._lock:
            if self._open is None:
                self._open = os.open(self._next_segment(), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                _write_all(self._open, line + b"\n")
            except OSError:
                # A torn line may only be the last one of its segment.
                os.close(self._open)
                self._open = None
                raise
            self._dirty = True
            self.rows += rows

    def sync(self) -> None:
        """Bring what was appended to disk."""
        with self._lock:
            if self._open is None or not self._dirty:
                return
            copy, self._dirty = os.dup(self._open), False
        try:
            os.fsync(copy)
        finally:
            os.close(copy)

    def seal(self) -> list[Path]:
        """End the current segment; every segment that waits, oldest first."""
        with self._lock:
            if self._open is not None:
                os.fsync(self._open)
                os.close(self._open)
            self._open, self._dirty, self.rows = None, False, 0
            return sorted(self.folder.glob(f"*{SUFFIX}"))

    def _next_segment(self) -> Path:
        """Numbered by time, and above every number that waits."""
        waiting = [number_of(path) for path in self.folder.glob(f"*{SUFFIX}")]
        return self.folder / f"{max([time.time_ns(), *(number + 1 for number in waiting)]):020d}{SUFFIX}"


def number_of(segment: Path) -> int:
    """A segment's number."""
    return int(segment.stem)


def lines_of(segment: Path) -> Iterator[bytes]:
    """The whole lines of a segment: the last one is torn where the machine went down in it."""
    with segment.open("rb") as file:
        yield from (line for line in file if line.endswith(b"\n"))


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
