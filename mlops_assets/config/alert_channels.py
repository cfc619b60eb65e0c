"""Notification channels of alerts; every secret is masked wherever a channel is shown."""

from typing import Annotated, Literal

from pydantic import Field, SecretStr

from mlops_assets.config.base import Name, StrictModel


class EmailChannel(StrictModel):
    """Mail to people."""

    type: Literal["email"] = Field(description="Mail to people.")
    recipients: list[Name] = Field(min_length=1, description="Mail addresses.")


class SlackChannel(StrictModel):
    """A message in a Slack channel."""

    type: Literal["slack"] = Field(description="A message in a Slack channel.")
    webhook: SecretStr = Field(description="URL of the incoming webhook, a secret.")


class TeamsChannel(StrictModel):
    """A message in a Microsoft Teams channel."""

    type: Literal["teams"] = Field(description="A message in a Microsoft Teams channel.")
    webhook: SecretStr = Field(description="URL of the incoming webhook, a secret.")


class PagerDutyChannel(StrictModel):
    """An incident in PagerDuty."""

    type: Literal["pagerduty"] = Field(description="An incident in PagerDuty.")
    routing_key: SecretStr = Field(description="Integration key of the service, a secret.")


class WebhookChannel(StrictModel):
    """A JSON document posted to a URL."""

    type: Literal["webhook"] = Field(description="A JSON document posted to a URL.")
    url: SecretStr = Field(description="URL to post to, a secret.")


Channel = Annotated[
    EmailChannel | SlackChannel | TeamsChannel | PagerDutyChannel | WebhookChannel,
    Field(discriminator="type"),
]
SECRET_FIELDS = frozenset({"webhook", "routing_key", "url"})
