"""The server: routes by method and path, JSON in and out, errors as Databricks writes them."""

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from mlops_assets_tests.workspace_stub.faults import Faults


class Refused(Exception):
    """A request that the workspace refuses, with Databricks' error code."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


@dataclass(frozen=True)
class Call:
    """One request: the path's parts by name, the query, the body."""

    parts: Mapping[str, str]
    query: Mapping[str, str]
    content: bytes
    host: str

    @property
    def body(self) -> dict[str, Any]:
        """The JSON body, empty without one."""
        try:
            return dict(json.loads(self.content)) if self.content else {}
        except ValueError as error:
            raise Refused(400, "MALFORMED_REQUEST", f"the body is not JSON: {error}") from None


@dataclass(frozen=True)
class Reply:
    """An answer that is not plain JSON, or that has headers."""

    content: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200


Answer = Callable[[Call], Any]
Routes = Mapping[str, Answer]


def parsed(kind: Any, body: Mapping[str, Any]) -> Any:
    """The body as one of the SDK's dataclasses; a field that the SDK does not know is refused."""
    known = set(kind.__dataclass_fields__)
    if unknown := sorted(set(body) - known):
        raise Refused(400, "INVALID_PARAMETER_VALUE", f"{kind.__name__} has no field {unknown[0]}")
    return kind.from_dict(dict(body))


@contextmanager
def listening(
    routes: Routes,
    tokens: Callable[[], set[str]],
    faults: Faults,
    log: list[str],
    bodies: list[tuple[str, bytes]],
    *,
    challenge: str = "Bearer",
) -> Iterator[str]:
    """A server on a free port of this machine, as its URL; `log` gets a line a request, `bodies` all that is said on
    both sides. `challenge` tells a client without a token whose token it needs.
    """
    table = [(_pattern(route), answer) for route, answer in routes.items()]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_request(self) -> None:
            parts = urlsplit(self.path)
            route = f"{self.command} {unquote(parts.path)}"
            log.append(route)
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            bodies.append((self.path, content))
            if fault := faults.take(route):
                fault.answer(self)
                return
            query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            try:
                self._authorize(route, tokens())
                answer, found = _find(table, route)
                call = Call(found, query, content, self.headers["Host"])
                self._reply(answer(call))
            except Refused as refused:
                told = {"error_code": refused.code, "message": str(refused)}
                headers = {"WWW-Authenticate": challenge} if refused.status == 401 else {}
                self._reply(Reply(json.dumps(told).encode(), headers, refused.status))

        def _authorize(self, route: str, allowed: set[str]) -> None:
            if "/oidc/" in route:
                return
            scheme, _, token = self.headers.get("Authorization", "").partition(" ")
            if scheme != "Bearer" or token not in allowed:
                raise Refused(401 if not token else 403, "PERMISSION_DENIED", "Invalid access token.")

        def _reply(self, given: Any) -> None:
            reply = given if isinstance(given, Reply) else Reply(json.dumps(given or {}).encode())
            bodies.append((self.path, reply.content))
            self.send_response(reply.status)
            for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply.content)

        def log_message(self, *_: object) -> None:
            """The log has the line already."""

    for verb in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"):
        setattr(Handler, f"do_{verb}", Handler.handle_request)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def _pattern(route: str) -> re.Pattern[str]:
    """`GET /x/{name}` with a part between slashes for a name; `{name*}` takes the rest."""
    text = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", re.sub(r"\{(\w+)\*\}", r"(?P<\1>.+)", route))
    return re.compile(f"{text}/?")


def _find(table: list[tuple[re.Pattern[str], Answer]], route: str) -> tuple[Answer, Mapping[str, str]]:
    for pattern, answer in table:
        if found := pattern.fullmatch(route):
            return answer, found.groupdict()
    raise Refused(501, "NOT_IMPLEMENTED", f"this stand-in knows no {route}")
