"""Servers that take what is sent to them and keep it: SMTP (aiosmtpd) and HTTP, on free ports of this machine."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass
class Mailbox:
    """What a mail server took: recipients and messages; addresses that are `refused` are unknown to it."""

    url: str = ""
    recipients: list[list[str]] = field(default_factory=list)
    messages: list[EmailMessage] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refused:
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.recipients.append(list(envelope.rcpt_tos))
        assert isinstance(envelope.content, bytes)
        self.messages.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"


class FreePort(Controller):
    """A controller whose first call finds the port that the system gave it."""

    def _trigger_server(self) -> None:
        assert self.server is not None
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@contextmanager
def mail_server(user: str = "", password: str = "") -> Iterator[Mailbox]:
    mailbox = Mailbox()

    def known(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        given = isinstance(data, LoginPassword) and (data.login, data.password)
        return AuthResult(success=given == (user.encode(), password.encode()), handled=False)

    login = {"authenticator": known, "auth_required": True, "auth_require_tls": False} if user else {}
    controller = FreePort(mailbox, hostname="127.0.0.1", port=0, **login)
    controller.start()
    mailbox.url = f"smtp://127.0.0.1:{controller.port}"
    try:
        yield mailbox
    finally:
        controller.stop()


@dataclass
class Posted:
    """What an HTTP server took: (path, JSON); it answers with the codes of `answers` in turn, then 200."""

    url: str = ""
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    refused: int = 0


@contextmanager
def web_server() -> Iterator[Posted]:
    posted = Posted()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            code = posted.answers.pop(0) if posted.answers else 200
            if code < 300:
                posted.requests.append((self.path, body))
            else:
                posted.refused += 1
            self.send_response(code)
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    posted.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield posted
    finally:
        server.shutdown()
        server.server_close()
