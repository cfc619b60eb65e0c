"""Alert channels as apprise services, and their names for tables and logs, which contain no secret."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from mlops_assets.config.alert_channels import (
    Channel,
    EmailChannel,
    PagerDutyChannel,
    SlackChannel,
    TeamsChannel,
    WebhookChannel,
)
from mlops_assets.monitoring.mail import mail_server
from mlops_assets.monitoring.message import Message
from mlops_assets.secrets import resolved

Service = str | dict[str, Any]


class ChannelError(ValueError):
    """A channel's address does not fit its type; the message does not repeat it, since it may be a secret."""


def by_recipient(channels: Iterable[Channel]) -> list[Channel]:
    """The channels, with a separate mail channel per recipient, so that a bad address does not block the others."""
    return [
        part
        for channel in channels
        for part in (
            [EmailChannel(type="email", recipients=[each]) for each in channel.recipients]
            if isinstance(channel, EmailChannel)
            else [channel]
        )
    ]


def channel_name(channel: Channel) -> str:
    """A channel's name in tables and logs: its mail addresses, or its type and a digest of the secret."""
    if isinstance(channel, EmailChannel):
        return f"email:{','.join(channel.recipients)}"
    return f"{channel.type}:{hashlib.sha256(_secret_or_reference(channel).encode()).hexdigest()[:8]}"


def secrets_of(channel: Channel, environment: Mapping[str, str]) -> list[str]:
    """The texts that must not appear in a message about the channel."""
    if isinstance(channel, EmailChannel):
        found = [environment.get(name, "") for name in ("SMTP_URL", "MLOPS_SMTP_PASSWORD")]
        return [*found, unquote(urlsplit(found[0]).password or "")]
    secret = _secret(channel)
    parts = urlsplit(secret)
    # apprise's errors may contain a part of a URL as well as all of it.
    return [secret, parts.path, parts.query, parts.password or ""]


def apprise_service(channel: Channel, message: Message, environment: Mapping[str, str]) -> Service:
    """The apprise service that `message` is sent to.

    Raises:
        ChannelError: the address is not one of the channel's kind.
        MailError: a mail channel without a mail server.
        SecretError: the store does not give a secret that the channel refers to.
    """
    if isinstance(channel, EmailChannel):
        return mail_server(environment).service(list(channel.recipients))
    secret = _secret(channel)
    if isinstance(channel, SlackChannel):
        return f"{secret}{'&' if '?' in secret else '?'}image=no&footer=no"
    if isinstance(channel, TeamsChannel):
        return secret
    if isinstance(channel, PagerDutyChannel):
        return _incident(secret, message)
    return _json(secret, message)


def _secret(channel: SlackChannel | TeamsChannel | PagerDutyChannel | WebhookChannel) -> str:
    return resolved(_secret_or_reference(channel))


def _secret_or_reference(channel: SlackChannel | TeamsChannel | PagerDutyChannel | WebhookChannel) -> str:
    """The channel's secret, or the reference to it, as written in the document."""
    field = {"slack": "webhook", "teams": "webhook", "pagerduty": "routing_key", "webhook": "url"}[channel.type]
    return str(getattr(channel, field).get_secret_value())


def _incident(routing_key: str, message: Message) -> Service:
    """One PagerDuty incident per model: alerts trigger it, the recovery resolves it."""
    return {
        "schema": "pagerduty",
        "integrationkey": routing_key,
        # The Events API needs only the routing key; apprise requires a second key.
        "apikey": "events-v2",
        "action": "map",
        "dedup": message.subject,
        "source": "mlops-assets",
        "component": message.subject,
        "details": {name: str(value) for name, value in message.facts.items()},
        "image": "no",
        "overflow": "truncate",
    }


def _json(url: str, message: Message) -> Service:
    """A POST of version, title, message, type and the message's facts."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ChannelError("the webhook's url is no http or https address")
    login = {"user": unquote(parts.username), "password": unquote(parts.password or "")} if parts.username else {}
    return {
        "schema": "jsons" if parts.scheme == "https" else "json",
        "host": parts.hostname,
        "port": parts.port,
        "fullpath": parts.path or "/",
        "params": dict(parse_qsl(parts.query)),
        "payload": {"attachments": "", **message.facts},
        **login,
    }
