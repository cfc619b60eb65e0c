"""Callers' requests on their way to their endpoint's Delta inference table: the gateway's part, one write a request.

Kept are those that reach a version or the online store. Who may not ask, asks too much or too often is counted by the
metrics alone, since it must not cost a write; a deployment's own tests are no callers'.

The columns are those of `log_rows`; a process of its own, `log_writer`, brings them into the table.
"""

import json
import os
import subprocess
import sys
import threading
import time
from logging import getLogger
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from mlops_assets.serving.inference_log.spool import Spool, Spooled
from mlops_assets.serving.workers.fork_server_process import ONE_THREAD, package_path

RESTART_SECONDS = 5.0
_TO_SPACES = bytes.maketrans(b"\t\n\r", b"   ")

log = getLogger("mlops_assets.gateway")


class LoggedRequest(NamedTuple):
    """What is kept of an answered request beside body and answer; `columns` unless the body begins with them."""

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

        JSON has tabs and line breaks only where they mean nothing, and zero bytes only in another encoding than UTF-8.
        """
        if b"\0" in body:
            body = body.decode(json.detect_encoding(body), "replace").encode()
        columns = json.dumps(self.columns) if self.columns else ""
        masked = json.dumps([self.hashed, self.dropped]) if self.hashed or self.dropped else ""
        facts = (
            f"{self.request_id}\t{self.time_us}\t{self.endpoint}\t{self.version}\t{self.served_model_name}\t"
            f"{self.latency_ms}\t{self.status_code}\t{columns}\t{masked}\t"
        )
        return b"%b%b\t%b\n" % (facts.encode(), body.translate(_TO_SPACES), answer.translate(_TO_SPACES))


class InferenceLog:
    """The spools of one gateway and the process that empties them, which is there once something is to be written."""

    def __init__(self, root: Path, hash_key: bytes = b"") -> None:
        self.lost = 0
        self._hash_key = hash_key
        self._root = root
        self._gateway = f"{time.time_ns()}-{uuid4().hex[:8]}"
        self._spools: dict[str, Spool] = {}
        self._writer: subprocess.Popen[bytes] | None = None
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
        try:
            spool = self._spools.get(table) or self._begin(table)
            spool.append(request.line(body, answer))
        except OSError as error:
            self.lost += 1
            log.error("a request of %s is not logged (%d so far): %s", request.endpoint, self.lost, error)

    def close(self) -> None:
        """Wait until everything is written; what cannot be written stays spooled for the next start."""
        self._closing.set()
        if not self._keeper.ident:
            return
        if self._writer is not None and self._writer.stdin is not None:
            self._writer.stdin.close()
        self._keeper.join()

    def _begin(self, table: str) -> Spool:
        spool = self._spools[table] = Spool.begun(self._root, self._gateway, table)
        if not self._keeper.ident:
            self._keeper.start()
        return spool

    def _keep_writing(self) -> None:
        """Run the writer, and again where it ends before its time."""
        while True:
            code = self._write()
            if code == 0 or self._closing.is_set():
                return
            log.error("the inference log's writer ended with code %d; starting another", code)
            self._closing.wait(RESTART_SECONDS)

    def _write(self) -> int:
        command = [sys.executable, "-m", "mlops_assets.serving.inference_log.writer", str(self._root), self._gateway]
        # A group of its own, so that a Ctrl-C does not end it; the gateway's session, in which its priority counts.
        self._writer = subprocess.Popen(
            command, stdin=subprocess.PIPE, process_group=0, env={**os.environ, **package_path(), **ONE_THREAD}
        )
        assert self._writer.stdin is not None
        try:
            self._writer.stdin.write(self._hash_key.hex().encode() + b"\n")
            self._writer.stdin.flush()
        except BrokenPipeError:
            log.error("the inference log's writer did not start")
        if self._closing.is_set():
            self._writer.stdin.close()
        return self._writer.wait()
