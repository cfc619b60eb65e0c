"""`python -m mlops_assets.serving.inference_log.writer SPOOLS GATEWAY COUNTS`: spooled requests into Delta tables.

A process of its own at the lowest priority, so that a gateway's answers wait neither for its parsing nor for the disk.
It ends when its gateway closes its standard input, after a last pass; one writes at a time in a folder. How many bytes
of a spool are in its table stands in the table, as the version of the spool's transaction: no line is there twice,
whoever is killed when. COUNTS is the file descriptor of the gateway's counts: a gateway that is killed cannot tell how
many requests were in its memory.
"""

import os
import select
import sys
import time
from collections.abc import Iterable
from logging import getLogger
from pathlib import Path

from filelock import FileLock

from mlops_assets.serving.gateway.logs import log_to_standard_error
from mlops_assets.serving.inference_log.counts import waiting
from mlops_assets.serving.inference_log.rows import table_rows
from mlops_assets.serving.inference_log.spool import Spooled

FLUSH_SECONDS = 5.0
# Beyond it, about ten thousand requests of one row, nothing waits for the clock.
FLUSH_BYTES = 8 << 20
SYNC_SECONDS = 1.0
MAX_RETRY_SECONDS = 60.0
# A table's log is read from its last checkpoint on. Every hundred, as is usual, makes the hundredth commit cost five
# times what the first did.
CHECKPOINT = 10
LOWEST_PRIORITY = 19

log = getLogger("mlops_assets.gateway")


def main() -> None:
    """Write until the gateway has gone and everything is written."""
    root, gateway, counts = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    os.nice(LOWEST_PRIORITY)
    log_to_standard_error()
    hash_key = bytes.fromhex(sys.stdin.buffer.readline().decode())
    root.mkdir(parents=True, exist_ok=True)
    with FileLock(root / "writer.lock"):
        Writer(root, gateway, hash_key).run()
    if lost := waiting(counts):
        log.error("lost: %d requests, which were in the memory of a gateway that was killed", lost)


class Writer:
    """One gateway's spools, and those that were left when it began."""

    def __init__(self, root: Path, gateway: str, hash_key: bytes) -> None:
        self._root, self._gateway, self._hash_key = root, gateway, hash_key
        found = {spooled.folder.name: spooled for spooled in Spooled.under(root)}
        self._left = {name: spooled for name, spooled in found.items() if not name.startswith(gateway)}
        self._ours: dict[str, Spooled] = {}
        self._done: dict[str, int] = {}

    def run(self) -> None:
        """Until standard input ends: sync each second, write each FLUSH_SECONDS or when FLUSH_BYTES wait."""
        pause, flush_at, gone = FLUSH_SECONDS, 0.0, False
        while not gone:
            gone = bool(select.select([sys.stdin.buffer], [], [], SYNC_SECONDS)[0])
            self._look()
            if gone or time.monotonic() >= flush_at or self._much_waits():
                written = self._flush(gone=gone)
                pause = FLUSH_SECONDS if written else min(MAX_RETRY_SECONDS, 2 * pause)
                flush_at = time.monotonic() + pause
            else:
                for spooled in self._ours.values():
                    spooled.sync()

    def _look(self) -> None:
        for spooled in Spooled.under(self._root):
            if spooled.folder.name.startswith(self._gateway):
                self._ours.setdefault(spooled.folder.name, spooled)

    def _much_waits(self) -> bool:
        return any(spooled.end() - self._done.get(name, 0) > FLUSH_BYTES for name, spooled in self._ours.items())

    def _flush(self, *, gone: bool) -> bool:
        """Whether every table could be written."""
        left = self._written(self._left.items(), ended=True)
        for name in left:
            del self._left[name]
        return not self._left and len(self._written(self._ours.items(), ended=gone)) == len(self._ours)

    def _written(self, spools: Iterable[tuple[str, Spooled]], *, ended: bool) -> list[str]:
        """The names of those that could be written."""
        return [name for name, spooled in list(spools) if self._empty(name, spooled, ended=ended)]

    def _empty(self, name: str, spooled: Spooled, *, ended: bool) -> bool:
        try:
            done, requests = write(spooled, self._hash_key)
            self._done[name] = done
            if not name.startswith(self._gateway):
                torn = int(spooled.end() > done)
                line = "%d requests that an earlier gateway had left are in %s now; lost: %d, whose line is torn"
                log.warning(line, requests, spooled.table, torn)
            spooled.forget(done, ended=ended)
        except Exception:
            # What stops a table from being written (disk, permissions, schema) must not stop the others:
            # the segments stay, and are tried again.
            log.exception("inference table %s cannot be written; requests wait in %s", spooled.table, spooled.folder)
            return False
        return True


def write(spooled: Spooled, hash_key: bytes = b"") -> tuple[int, int]:
    """Append to the table what is not in it yet: how many bytes of the spool are in it then, and how many requests came
    now. What arrives meanwhile waits for the next time: it would be a commit of a few requests after the other.
    """
    from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake

    table = DeltaTable(spooled.table) if DeltaTable.is_deltatable(spooled.table) else None
    done = (table.transaction_version(spooled.folder.name) or 0) if table else 0
    requests, end = 0, spooled.end()
    while done < end and (found := spooled.lines(done, FLUSH_BYTES)) is not None:
        lines, done = found
        requests += lines.count(b"\n")
        transaction = Transaction(app_id=spooled.folder.name, version=done)
        write_deltalake(
            table or spooled.table,
            table_rows(lines, hash_key),
            mode="append",
            configuration=None if table else {"delta.checkpointInterval": str(CHECKPOINT)},
            commit_properties=CommitProperties(app_transactions=[transaction]),
        )
    return done, requests


if __name__ == "__main__":
    main()
