"""A run that uses secrets writes none of them: not into tables and events, logs or exported configs."""

import json
import logging
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import dagster as dg
import pytest

from mlops_assets.config import load_project
from mlops_assets.config.alert_channels import WebhookChannel
from mlops_assets.monitoring.delivery import deliver
from mlops_assets.monitoring.message import Message
from mlops_assets_tests.assets.shop import Shop

SALT, TOKEN = "pepper-and-salt-41", "webhook-token-42"
HASHED = [{"type": "hash", "columns": ["email"], "salt": "${secret:team/salt}"}]


@pytest.fixture(autouse=True)
def store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLOPS_SECRET_TEAM_SALT", SALT)
    monkeypatch.setenv("MLOPS_SECRET_TEAM_TOKEN", TOKEN)


def everything_below(folder: Path) -> Iterator[tuple[Path, bytes]]:
    for path in folder.rglob("*"):
        if path.is_file():
            yield path, path.read_bytes()


def test_a_salt_changes_what_is_written_and_is_written_nowhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as instance:
        shop = Shop(tmp_path, instance, transformation_steps=HASHED)
        result = shop.run()
        told = json.dumps([dg.serialize_value(event) for event in result.all_events])

    assert result.success
    project = load_project(tmp_path / "shop")
    exported = " ".join(document.config.model_dump_json() for document in project.documents)
    captured = capfd.readouterr()
    for text in (told, exported, repr(project), caplog.text, captured.out, captured.err):
        assert SALT not in text
    assert [path for path, content in everything_below(tmp_path) if SALT.encode() in content] == []


def test_a_store_without_the_secret_fails_the_step_with_its_reference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLOPS_SECRET_TEAM_SALT")
    with dg.DagsterInstance.ephemeral() as instance:
        result = Shop(tmp_path, instance, transformation_steps=HASHED).run()

    (failed, *_) = [event for event in result.all_events if event.is_step_failure]
    assert "secret team/salt: the environment variable MLOPS_SECRET_TEAM_SALT is not set" in str(failed)


def test_a_channel_is_sent_to_with_its_secret_and_told_without() -> None:
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
            self.send_error(500)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/${{secret:team/token}}"
        channel = WebhookChannel.model_validate({"type": "webhook", "url": url})
        done = deliver(channel, Message("flights", "title", "body", "info", {}), {})
        server.shutdown()

    assert asked[0] == f"/{TOKEN}"
    assert TOKEN not in done.error + repr(channel)
