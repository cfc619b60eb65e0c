"""Faults that a test asks for: what a network, a proxy or a workspace in trouble answers instead."""

import json
import re
import socket
import struct
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler


@dataclass(frozen=True)
class Fault:
    """One way to answer wrongly; `seconds` is how long a slow body takes."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0
    reset: bool = False

    @classmethod
    def error(cls, status: int, code: str, message: str, **headers: str) -> "Fault":
        """An error as Databricks writes it; `retry_after` becomes Retry-After."""
        named = {name.replace("_", "-").title(): value for name, value in headers.items()}
        body = json.dumps({"error_code": code, "message": message}).encode()
        return cls(status, body, {"Content-Type": "application/json", **named})

    @classmethod
    def html(cls, status: int) -> "Fault":
        """A proxy's page, or a login page where the status is 200."""
        return cls(status, b"<html><title>Gateway</title></html>", {"Content-Type": "text/html"})

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Write it to the connection."""
        if self.reset:
            linger = struct.pack("ii", 1, 0)
            request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            request.close_connection = True
            request.connection.close()
            return
        request.send_response(self.status)
        for name, value in {"Content-Type": "application/json", **self.headers}.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(self.body)))
        request.end_headers()
        # A client that has waited long enough hangs up.
        with suppress(ConnectionError):
            for byte in self.body:
                request.wfile.write(bytes([byte]))
                time.sleep(self.seconds / len(self.body))


@dataclass
class Faults:
    """The faults that are still to come, by method and path."""

    waiting: list[tuple[re.Pattern[str], Fault, int]] = field(default_factory=list)

    def add(self, route: str, fault: Fault, times: int) -> None:
        """Answer the next `times` requests whose `METHOD /path` the pattern finds with `fault`."""
        self.waiting.append((re.compile(route), fault, times))

    def take(self, route: str) -> Fault | None:
        """The fault for this request, if there is one."""
        for place, (pattern, fault, times) in enumerate(self.waiting):
            if pattern.search(route):
                self.waiting[place : place + 1] = [(pattern, fault, times - 1)] if times > 1 else []
                return fault
        return None
