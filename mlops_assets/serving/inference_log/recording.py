"""Callers' requests on their way to their endpoint's Delta inference table: the gateway's part.

Kept are those that reach a version or the online store. Who may not ask, asks too much or too often is counted by the
metrics alone, since it must not cost a write; a deployment's own tests are no callers'.

A request waits in memory for BUFFER_SECONDS at most and is spooled with the others of that time: a write for each would
be the most of what the log costs. A process of its own, `writer`, brings the spool to the table; where the gateway is
killed, it says how many requests were in memory.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections import defaultdict, deque
from logging import getLogger
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from mlops_assets.serving.inference_log.counts import Counts
from mlops_assets.serving.inference_log.spool import Spool, Spooled
from mlops_assets.serving.workers.fork_server_process import ONE_THREAD, package_path

BUFFER_SECONDS = 0.1
# Beyond it nothing waits for the clock, and a slow disk slows the answers.
BUFFER_BYTES = 256 << 10
RESTART_SECONDS = 5.0
_TO_SPACES = bytes.maketrans(b"\t\n\r", b"   ")

log = getLogger("mlops_assets.gateway")


class LoggedRequest(NamedTuple):
    """The logged facts of an answered request, other than body and answer; `columns` if the body does not name them."""

    request_id: str
    time_us: int
    endpoint: str
    version: str
    served_model_name: str
    latency_ms: float
    status_code: int
    columns: tuple[str, ...] = ()
    hashed: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()

    def line(self, body: bytes, answer: bytes) -> bytes:
        """A spool's line: these facts, the body and the answer, with tabs between.

        The answer is the gateway's own JSON, without tabs and line breaks. The body's has them only where they mean
        nothing, and zero bytes only in another encoding than UTF-8.
        """
        if b"\0" in body:
            body = body.decode(json.detect_encoding(body), "replace").encode()
        columns = json.dumps(self.columns) if self.columns else ""
        masked = json.dumps([self.hashed, self.dropped]) if self.hashed or self.dropped else ""
        facts = (
            f"{self.request_id}\t{self.time_us}\t{self.endpoint}\t{self.version}\t{self.served_model_name}\t"
            f"{self.latency_ms:.4f}\t{self.status_code}\t{columns}\t{masked}\t"
        )
        return b"%b%b\t%b\n" % (facts.encode(), body.translate(_TO_SPACES), answer)


class InferenceLog:
    """The spools of one gateway and the process that empties them, which is there once something is to be written."""

    def __init__(self, root: Path, hash_key: bytes = b"") -> None:
        self.lost = 0
        self._hash_key = hash_key
        self._root = root
        self._gateway = f"{time.time_ns()}-{uuid4().hex[:8]}"
        self._counts = Counts()
        self._waiting: deque[tuple[str, LoggedRequest, bytes, bytes]] = deque()
        self._bytes = 0
        self._spooling = threading.Lock()
        self._spools: dict[str, Spool] = {}
        self._closing = threading.Event()
        self._keeper = threading.Thread(target=self._keep_writing, name="inference-log", daemon=True)

    def start(self) -> None:
        """Bring what an earlier gateway left to its table."""
        left = [spooled for spooled in Spooled.under(self._root) if spooled.end()]
        if left:
            log.info("%d tables' requests of an earlier gateway are taken up", len(left))
            self._keeper.start()

    def append(self, table: str, request: LoggedRequest, body: bytes, answer: bytes) -> None:
        """Put a request on its way to the table; where the disk refuses, the answer still goes out."""
        self._waiting.append((table, request, body, answer))
        self._counts.take()
        self._bytes += len(body) + len(answer)
        if self._bytes > BUFFER_BYTES:
            self._spool()
        if not self._keeper.ident:
            self._keeper.start()

    def close(self) -> None:
        """Wait until everything is written; what cannot be written stays spooled for the next start."""
        self._closing.set()
        if self._keeper.ident:
            self._keeper.join()
        # Where the writer could not be started at all, the keeper has ended before its time.
        self._spool()

    def _spool(self) -> None:
        """Write what waits, in its order, a write a table."""
        with self._spooling:
            lines: defaultdict[str, list[bytes]] = defaultdict(list)
            self._bytes, taken = 0, len(self._waiting)
            for _ in range(taken):
                table, request, body, answer = self._waiting.popleft()
                lines[table].append(request.line(body, answer))
            for table, each in lines.items():
                self._write(table, each)
            self._counts.spool(taken)

    def _write(self, table: str, lines: list[bytes]) -> None:
        spool, begun = self._spools.get(table), 0
        data = b"".join(lines)
        try:
            if spool is None:
                spool = self._spools[table] = Spool.begun(self._root, self._gateway, table)
            begun = spool.end
            spool.append(data)
        except OSError as error:
            kept = data[: spool.end - begun].count(b"\n") if spool else 0
            missing = len(lines) - kept
            self.lost += missing
            log.error("%d requests of %s are not logged (%d so far): %s", missing, table, self.lost, error)

    def _keep_writing(self) -> None:
        """Spool what waits, and run the writer, again where it ends before its time."""
        writer, begun = self._writer(), time.monotonic()
        while not self._closing.wait(BUFFER_SECONDS):
            self._spool()
            if (code := writer.poll()) is not None and time.monotonic() - begun >= RESTART_SECONDS:
                log.error("the inference log's writer ended with code %d; starting another", code)
                writer, begun = self._writer(), time.monotonic()
        self._spool()
        if writer.stdin is not None:
            writer.stdin.close()
        writer.wait()

    def _writer(self) -> subprocess.Popen[bytes]:
        shared, module = self._counts.file.fileno(), "mlops_assets.serving.inference_log.writer"
        # A group of its own, so that a Ctrl-C does not end it; the gateway's session, in which its priority counts.
        writer = subprocess.Popen(
            [sys.executable, "-m", module, str(self._root), self._gateway, str(shared)],
            stdin=subprocess.PIPE,
            pass_fds=(shared,),
            process_group=0,
            env={**os.environ, **package_path(), **ONE_THREAD},
        )
        assert writer.stdin is not None
        try:
            writer.stdin.write(self._hash_key.hex().encode() + b"\n")
            writer.stdin.flush()
        except BrokenPipeError:
            log.error("the inference log's writer did not start")
        return writer
