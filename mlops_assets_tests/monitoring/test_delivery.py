from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import TypeAdapter

from mlops_assets.config.alert_channels import Channel
from mlops_assets.monitoring import delivery
from mlops_assets.monitoring.channels import by_recipient, channel_name
from mlops_assets.monitoring.delivery import deliver
from mlops_assets.monitoring.mail import MailError, mail_server
from mlops_assets.monitoring.message import Message
from mlops_assets_tests.monitoring import servers
from mlops_assets_tests.monitoring.servers import Mailbox, Posted

ALARM = Message(
    "delay",
    "delay: drift alarm, 2013-04",
    "2013-04, version 1: drift\n1. temp severe: psi 0.820, 8.2 x its limit 0.1",
    "warning",
    {"kind": "alarm", "alerts": [{"window": "2013-04"}]},
)
OVER = Message("delay", "delay: recovered", "Version 1 is within its limits again.", "success", {"kind": "recovery"})


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with servers.mail_server() as box:
        yield box


@pytest.fixture
def posted() -> Iterator[Posted]:
    with servers.web_server() as server:
        yield server


pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH", "ignore:'imghdr'")


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "FIRST_WAIT", 0.01)


def channel(**fields: Any) -> Channel:
    adapter: TypeAdapter[Channel] = TypeAdapter(Channel)
    return adapter.validate_python(fields)


def test_a_mail_arrives_once_with_title_and_reasons_at_every_address(mailbox: Mailbox) -> None:
    people = ["ops@example.com", "ml@example.com"]
    result = deliver(channel(type="email", recipients=people), ALARM, {"SMTP_URL": f"{mailbox.url}?from=a@example.com"})
    assert result.sent
    assert [message["subject"] for message in mailbox.messages] == [ALARM.title] * 2
    assert sorted(address for each in mailbox.recipients for address in each) == sorted(people)
    assert "a@example.com" in mailbox.messages[0]["from"]
    body = mailbox.messages[0].get_body(("plain",))
    assert body is not None
    assert body.get_content().replace("\r", "").strip() == ALARM.body


def test_an_address_that_is_refused_costs_the_others_no_second_copy(mailbox: Mailbox) -> None:
    mailbox.refused.add("bad@example.com")
    people = channel(type="email", recipients=["bad@example.com", "ops@example.com"])
    result = deliver(people, ALARM, {"SMTP_URL": mailbox.url})
    assert (result.sent, result.reached, mailbox.recipients) == (False, 1, [["ops@example.com"]])
    assert result.error.startswith("email:bad@example.com: ")
    assert [channel_name(each) for each in by_recipient([people])] == ["email:bad@example.com", "email:ops@example.com"]


def test_the_mail_server_may_be_named_part_by_part_and_ask_for_a_password() -> None:
    with servers.mail_server("ann", "p@ss/word") as mailbox:
        port = mailbox.url.rsplit(":", 1)[1]
        environment = {
            "MLOPS_SMTP_HOST": "127.0.0.1",
            "MLOPS_SMTP_PORT": port,
            "MLOPS_SMTP_USER": "ann",
            "MLOPS_SMTP_PASSWORD": "p@ss/word",
        }
        ops = channel(type="email", recipients=["ops@example.com"])
        assert deliver(ops, ALARM, environment).sent
        assert deliver(ops, ALARM, {"SMTP_URL": f"smtp://ann:p%40ss%2Fword@127.0.0.1:{port}"}).sent
        wrong = deliver(ops, ALARM, {**environment, "MLOPS_SMTP_PASSWORD": "guess"})
    assert (wrong.sent, wrong.attempts, len(mailbox.messages)) == (False, 3, 2)
    assert "guess" not in wrong.error


def test_a_webhook_gets_one_json_document_with_the_facts(posted: Posted) -> None:
    result = deliver(channel(type="webhook", url=f"{posted.url}/hook?token=t0ken"), ALARM, {})
    assert (result.sent, result.attempts) == (True, 1)
    ((path, body),) = posted.requests
    assert path == "/hook?token=t0ken"
    assert body == {
        "version": "1.0",
        "title": ALARM.title,
        "message": ALARM.body,
        "type": "warning",
        "kind": "alarm",
        "alerts": [{"window": "2013-04"}],
    }


def test_a_channel_that_stumbles_is_tried_again_and_told_once(posted: Posted) -> None:
    posted.answers = [503, 500]
    result = deliver(channel(type="webhook", url=f"{posted.url}/hook"), ALARM, {})
    assert (result.sent, result.attempts, posted.refused, len(posted.requests)) == (True, 3, 2, 1)


def test_a_channel_that_stays_down_is_given_up_with_its_reason_and_no_secret(posted: Posted) -> None:
    posted.answers = [500] * 10
    url = f"{posted.url}/s3cr3t/hook?token=t0ken"
    result = deliver(channel(type="webhook", url=url), ALARM, {})
    assert (result.sent, result.attempts, posted.refused) == (False, 3, 3)
    assert "500" in result.error
    assert not any(secret in result.error for secret in ("s3cr3t", "t0ken"))


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"type": "slack", "webhook": "https://example.com/s3cr3t"}, "not one of its kind"),
        ({"type": "teams", "webhook": "https://x.webhook.office.com/webhookb2/s3cr3t"}, "not one of its kind"),
        ({"type": "pagerduty", "routing_key": " "}, "not one of its kind"),
        ({"type": "webhook", "url": "ftp://example.com/s3cr3t"}, "no http or https address"),
        ({"type": "email", "recipients": ["ops@example.com"]}, "set SMTP_URL"),
    ],
)
def test_an_address_that_cannot_be_right_is_told_and_not_tried(fields: dict[str, Any], told: str) -> None:
    result = deliver(channel(**fields), ALARM, {})
    assert (result.sent, result.attempts) == (False, 0)
    assert told in result.error
    assert "s3cr3t" not in result.error


def test_slack_gets_what_its_incoming_webhook_takes(posted: Posted, monkeypatch: pytest.MonkeyPatch) -> None:
    from apprise.plugins.slack import NotifySlack

    monkeypatch.setattr(NotifySlack, "webhook_url", f"{posted.url}/services")
    hook = "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7"
    assert deliver(channel(type="slack", webhook=hook), ALARM, {}).sent
    ((path, body),) = posted.requests
    assert path == "/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7"
    (attachment,) = body["attachments"]
    assert attachment["title"] == ALARM.title
    assert "temp severe: psi 0.820" in attachment["text"]


def test_teams_gets_an_adaptive_card_for_its_workflow(posted: Posted, monkeypatch: pytest.MonkeyPatch) -> None:
    from apprise.plugins import workflows

    asked: list[str] = []
    real = workflows.requests.post

    def to_this_machine(url: str, **arguments: Any) -> Any:
        asked.append(url)
        return real(f"{posted.url}/workflow", **{**arguments, "params": None})

    monkeypatch.setattr(workflows.requests, "post", to_this_machine)
    hook = "https://prod-161.westeurope.logic.azure.com:443/workflows/643e69f83c8944438d68119179a10a64/triggers/manual"
    hook += "/paths/invoke?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=s3cr3t"
    assert deliver(channel(type="teams", webhook=hook), ALARM, {}).sent
    assert asked[0].startswith("https://prod-161.westeurope.logic.azure.com:443/workflows/643e69f8")
    ((_, body),) = posted.requests
    (card,) = body["attachments"]
    assert card["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert ALARM.title in str(card)


def test_pagerduty_gets_one_incident_a_model_which_the_recovery_resolves(
    posted: Posted, monkeypatch: pytest.MonkeyPatch
) -> None:
    from apprise.plugins import pagerduty

    monkeypatch.setitem(pagerduty.PAGERDUTY_API_LOOKUP, pagerduty.PagerDutyRegion.US, f"{posted.url}/v2/enqueue")
    pager = channel(type="pagerduty", routing_key="R0UT1NGK3Y")
    assert deliver(pager, ALARM, {}).sent
    assert deliver(pager, OVER, {}).sent
    (first, second) = [body for _, body in posted.requests]
    assert (first["routing_key"], first["event_action"], first["dedup_key"]) == ("R0UT1NGK3Y", "trigger", "delay")
    assert first["payload"]["severity"] == "warning"
    assert first["payload"]["summary"].startswith(ALARM.title)
    assert second == {"routing_key": "R0UT1NGK3Y", "event_action": "resolve", "dedup_key": "delay"}


def test_a_channels_name_tells_it_apart_and_holds_no_secret() -> None:
    one, other = (channel(type="webhook", url=f"https://example.com/{secret}") for secret in ("s3cr3t", "0ther"))
    assert channel_name(one) != channel_name(other)
    assert "s3cr3t" not in channel_name(one)
    assert channel_name(channel(type="email", recipients=["a@b.ch", "c@d.ch"])) == "email:a@b.ch,c@d.ch"


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({}, "there is no mail server"),
        ({"SMTP_URL": "http://ann:s3cr3t@example.com"}, "names no mail server"),
        ({"SMTP_URL": "smtp://ann:s3cr3t@example.com:99999"}, "no number from 1 to 65535"),
        ({"MLOPS_SMTP_HOST": "h", "MLOPS_SMTP_PORT": "many"}, "'many'"),
        ({"MLOPS_SMTP_HOST": "h", "MLOPS_SMTP_SECURITY": "tls"}, "take insecure, starttls or ssl"),
    ],
)
def test_a_mail_server_that_cannot_be_is_refused_without_its_password(environment: dict[str, str], told: str) -> None:
    with pytest.raises(MailError, match=told) as error:
        mail_server(environment)
    assert "s3cr3t" not in str(error.value)


@pytest.mark.parametrize(
    ("url", "security", "port"),
    [("smtp://h", "insecure", 25), ("smtp+starttls://h", "starttls", 587), ("smtps://h:1465", "ssl", 1465)],
)
def test_the_scheme_says_how_the_connection_is_secured(url: str, security: str, port: int) -> None:
    server = mail_server({"SMTP_URL": url})
    assert (server.security, server.port) == (security, port)
    assert "p4ss" not in repr(mail_server({"SMTP_URL": "smtp://u:p4ss@h"}))
