"""Sends a message through one channel, with retries; failures are returned, not raised."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_exponential

from mlops_assets.config.alert_channels import Channel
from mlops_assets.monitoring.channels import (
    ChannelError,
    Service,
    apprise_service,
    by_recipient,
    channel_name,
    secrets_of,
)
from mlops_assets.monitoring.mail import MailError
from mlops_assets.monitoring.message import Message
from mlops_assets.secrets import SecretError

ATTEMPTS = 3
FIRST_WAIT = 0.5  # seconds; the next is twice as long
APP = "mlops-assets"


@dataclass(frozen=True)
class Delivery:
    """The result of sending: `error` is empty if every recipient got the message; `reached` counts those who did."""

    attempts: int
    error: str = ""
    reached: int = 0

    @property
    def sent(self) -> bool:
        """Whether the message was delivered to every recipient."""
        return not self.error


def deliver(channel: Channel, message: Message, environment: Mapping[str, str]) -> Delivery:
    """Send a message, with up to three attempts; each mail recipient gets a separate mail. Errors mask secrets."""
    return _merged([(each, _deliver_one(each, message, environment)) for each in by_recipient([channel])])


def _merged(parts: Sequence[tuple[Channel, Delivery]]) -> Delivery:
    if len(parts) == 1:
        return parts[0][1]
    errors = [f"{channel_name(channel)}: {done.error}" for channel, done in parts if not done.sent]
    return Delivery(max(done.attempts for _, done in parts), "; ".join(errors), len(parts) - len(errors))


def _deliver_one(channel: Channel, message: Message, environment: Mapping[str, str]) -> Delivery:
    try:
        target = apprise_service(channel, message, environment)
    except (ChannelError, MailError, SecretError) as error:
        return Delivery(0, str(error))
    delivery = _attempt(target, message)
    reason = masked(delivery.error, secrets_of(channel, environment))
    return Delivery(delivery.attempts, reason, int(delivery.sent))


def masked(text: str, secrets: Iterable[str]) -> str:
    """The text with every secret (longer than three letters) replaced by ***."""
    for secret in sorted({each for each in secrets if len(each) > 3}, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def _attempt(target: Service, message: Message) -> Delivery:
    import apprise

    plugin = apprise.Apprise.instantiate(
        target, asset=apprise.AppriseAsset(app_id=APP, app_desc=APP, app_url="", async_mode=False)
    )
    if plugin is None:
        return Delivery(0, "the channel's address or key is not one of its kind")
    # Waiting between attempts is done here.
    plugin.request_rate_per_sec = 0
    retrying = Retrying(
        retry=retry_if_result(bool),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_exponential(multiplier=FIRST_WAIT, max=5),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else "",
    )
    error: str = retrying(_notify, plugin, message)
    return Delivery(int(retrying.statistics["attempt_number"]), error)


def _notify(plugin: Any, message: Message) -> str:
    """Why the message was not delivered, read from apprise's log, the only place it says so; empty if it was."""
    import apprise

    with apprise.LogCapture(level=logging.WARNING, fmt="%(message)s") as log:  # type: ignore[no-untyped-call]
        sent = plugin.notify(body=message.body, title=message.title, notify_type=apprise.NotifyType(message.tone))
        logged = " ".join(log.getvalue().split())
    return "" if sent else logged or "not delivered"
