"""Alerts reach people, and a failing channel hides nothing. The receivers are local servers."""

import json
import logging
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest

from funnel.reporting import alerts


class Webhook(BaseHTTPRequestHandler):
    status = 200
    received: ClassVar[list[dict]] = []

    def do_POST(self) -> None:
        self.received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Webhook]]:
    handler = type("Handler", (Webhook,), {"received": [], "status": 200})
    server = HTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setenv("ALERT_WEBHOOK", f"http://127.0.0.1:{server.server_port}/secret-path")
    monkeypatch.delenv("ALERT_EMAIL", raising=False)
    yield handler
    server.shutdown()
    server.server_close()


@pytest.fixture
def mailbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A mail server that accepts one message with the minimal protocol."""
    listener = socket.create_server(("127.0.0.1", 0))
    lines: list[str] = []

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rw", newline="\r\n") as stream:
            in_body = False

            def say(text: str) -> None:
                stream.write(text + "\n")
                stream.flush()

            say("220 here")
            for line in stream:
                lines.append(line.rstrip())
                if in_body:
                    if line.rstrip() == ".":
                        in_body = False
                        say("250 kept")
                elif line.upper().startswith("DATA"):
                    in_body = True
                    say("354 go on")
                elif line.startswith("QUIT"):
                    say("221 bye")
                    return
                else:
                    say("250 fine")

    threading.Thread(target=serve, daemon=True).start()
    monkeypatch.delenv("ALERT_WEBHOOK", raising=False)
    monkeypatch.setenv("ALERT_EMAIL", "data@example.com")
    monkeypatch.setenv("SMTP_URL", f"smtp://127.0.0.1:{listener.getsockname()[1]}")
    yield lines
    listener.close()


def test_an_alert_reaches_the_webhook_once_with_title_text_severity_and_time(webhook: type[Webhook]) -> None:
    assert alerts.send("Audit failed: build_funnel", "spend is never negative", severity="critical")
    (body,) = webhook.received
    assert body["title"] == "Audit failed: build_funnel"
    assert body["severity"] == "critical"
    assert body["text"] == "Audit failed: build_funnel\nspend is never negative"
    assert body["at"].endswith("+00:00")


def test_an_alert_reaches_the_mailbox(mailbox: list[str]) -> None:
    assert alerts.send("Audit failed: build_funnel", "spend is never negative")
    assert "Subject: [critical] Audit failed: build_funnel" in mailbox
    assert "To: data@example.com" in mailbox
    assert "spend is never negative" in mailbox


def test_a_refusing_webhook_is_logged_without_its_address(
    webhook: type[Webhook], caplog: pytest.LogCaptureFixture
) -> None:
    webhook.status = 500
    assert not alerts.send("Load failed", "the original failure")
    assert "the original failure" in caplog.text
    assert "HTTP 500" in caplog.text
    assert "secret-path" not in "".join(
        record.getMessage() for record in caplog.records if record.name == "funnel.reporting.alerts"
    )


def test_a_dead_webhook_does_not_hide_the_failure(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("ALERT_WEBHOOK", "http://127.0.0.1:1/")
    assert not alerts.send("Load failed", "the original failure")
    assert "the original failure" in caplog.text
    assert "ConnectError" in caplog.text


def test_mail_without_a_server_is_logged_with_what_to_set(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("ALERT_WEBHOOK", raising=False)
    monkeypatch.delenv("SMTP_URL", raising=False)
    monkeypatch.setenv("ALERT_EMAIL", "data@example.com")
    assert not alerts.send("Load failed", "the original failure")
    assert "SMTP_URL is not set" in caplog.text


def test_without_a_channel_the_alert_is_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("ALERT_WEBHOOK", raising=False)
    monkeypatch.delenv("ALERT_EMAIL", raising=False)
    with caplog.at_level(logging.INFO):
        assert not alerts.send("Load failed", "the original failure")
    assert "the original failure" in caplog.text
    assert "neither ALERT_WEBHOOK nor ALERT_EMAIL is set" in caplog.text
