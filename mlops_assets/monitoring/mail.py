"""The mail server that alerts and notifications go through, as the environment names it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

SECURITY = {"smtp": "insecure", "smtp+starttls": "starttls", "smtps": "ssl"}
PORTS = {"insecure": 25, "starttls": 587, "ssl": 465}
SENDER = "mlops-assets@localhost.localdomain"
HELP = (
    "set SMTP_URL (smtp://host:25, smtp+starttls://user:password@host:587 or smtps://…, ?from=address) "
    "or MLOPS_SMTP_HOST"
)


class MailError(ValueError):
    """The environment names no mail server, or not one that can be used."""


@dataclass(frozen=True)
class MailServer:
    """Where mail is handed in; `security` is insecure, starttls or ssl."""

    host: str
    port: int
    security: str
    sender: str = SENDER
    user: str = ""
    password: str = field(default="", repr=False)

    def service(self, recipients: list[str]) -> dict[str, Any]:
        """The notification library's description of mail to these people through this server."""
        login = {"user": self.user, "password": self.password} if self.user else {}
        return {
            "schema": "mailto" if self.security == "insecure" else "mailtos",
            "host": self.host,
            "smtp_host": self.host,
            "port": self.port,
            "secure_mode": self.security,
            "from_addr": self.sender,
            "targets": recipients,
            "format": "text",
            **login,
        }


def mail_server(environment: Mapping[str, str]) -> MailServer:
    """The server of SMTP_URL, else of MLOPS_SMTP_HOST, _PORT, _SECURITY (insecure, starttls, ssl), _USER, _PASSWORD and
    _FROM.

    Raises:
        MailError: neither is set, or what is set is no server.
    """
    if environment.get("SMTP_URL"):
        return _from_url(environment["SMTP_URL"])
    host = environment.get("MLOPS_SMTP_HOST")
    if not host:
        raise MailError(f"there is no mail server: {HELP}")
    security = environment.get("MLOPS_SMTP_SECURITY", "insecure")
    if security not in PORTS:
        raise MailError(f"MLOPS_SMTP_SECURITY is '{security}'; take insecure, starttls or ssl")
    return MailServer(
        host,
        _port(environment.get("MLOPS_SMTP_PORT"), security),
        security,
        environment.get("MLOPS_SMTP_FROM") or SENDER,
        environment.get("MLOPS_SMTP_USER", ""),
        environment.get("MLOPS_SMTP_PASSWORD", ""),
    )


def _from_url(url: str) -> MailServer:
    # The URL holds a password: no error may repeat it.
    parts = urlsplit(url)
    if parts.scheme not in SECURITY or not parts.hostname:
        raise MailError(f"SMTP_URL names no mail server: {HELP}")
    security = SECURITY[parts.scheme]
    try:
        port = parts.port or PORTS[security]
    except ValueError:
        raise MailError("the port in SMTP_URL is no number from 1 to 65535") from None
    sender = parse_qs(parts.query).get("from", [SENDER])[0]
    return MailServer(
        parts.hostname, port, security, sender, unquote(parts.username or ""), unquote(parts.password or "")
    )


def _port(text: str | None, security: str) -> int:
    if not text:
        return PORTS[security]
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise MailError(f"MLOPS_SMTP_PORT is '{text}', which is no number from 1 to 65535")
    return int(text)
