"""Alerts: one message about a failure, to a webhook, by mail, or both; to the log if neither is set.

Sending never raises: an alert channel that is down must not hide the failure it was to report. The caller decides which
failures send an alert, and sends one per run.
"""

import logging
import smtplib
import ssl
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Literal
from urllib.parse import unquote, urlsplit

import httpx

from funnel import settings

# The calling task waits for this, so the timeout is short.
TIMEOUT_SECONDS = 10.0

log = logging.getLogger(__name__)


def send(title: str, text: str, *, severity: Literal["critical", "warning"] = "critical") -> bool:
    """Send one alert through every channel that is set; returns true if one of them accepted it.

    The webhook (ALERT_WEBHOOK) gets `{"title", "text", "severity", "at"}`; `text` contains the title too, since chat
    systems show only that field. Mail goes to ALERT_EMAIL through SMTP_URL (smtp:// with STARTTLS where offered, or
    smtps://).
    """
    chosen = settings.read()
    if not chosen.alert_webhook and not chosen.alert_email:
        log.info("No alert was sent: neither ALERT_WEBHOOK nor ALERT_EMAIL is set.")
    # Last, so that the log ends with it: the alert's link opens the end of the log.
    sent = deliver(title, text, severity)
    log.log(logging.ERROR if severity == "critical" else logging.WARNING, "%s\n%s", title, text)
    return sent


def deliver(title: str, text: str, severity: str) -> bool:
    """Send an alert as `send` does, without writing it to the log."""
    chosen = settings.read()
    at = datetime.now(UTC)
    sent = False
    for name, target, deliver in (
        ("ALERT_WEBHOOK", chosen.alert_webhook, _post),
        ("ALERT_EMAIL", chosen.alert_email, _mail),
    ):
        if target:
            try:
                deliver(chosen, title, text, severity, at)
                sent = True
            except Exception as error:
                # The error's text may contain the webhook's URL, which is a secret.
                log.error(
                    "The alert %r could not be sent through %s (%s). The failure that it reports is in this log.",
                    title,
                    name,
                    _safely(error),
                )
    return sent


def _post(chosen: settings.Settings, title: str, text: str, severity: str, at: datetime) -> None:
    body = {"title": title, "text": f"{title}\n{text}", "severity": severity, "at": at.isoformat()}
    answer = httpx.post(str(chosen.alert_webhook), json=body, timeout=TIMEOUT_SECONDS)
    answer.raise_for_status()


def _mail(chosen: settings.Settings, title: str, text: str, severity: str, at: datetime) -> None:
    if not chosen.smtp_url:
        raise settings.ConfigurationError("SMTP_URL is not set; write smtp://user:password@host:587 or smtps://…")
    server = urlsplit(chosen.smtp_url)
    message = EmailMessage()
    message["To"] = chosen.alert_email
    message["From"] = (
        unquote(server.username) if server.username and "@" in unquote(server.username) else "funnel@localhost"
    )
    message["Subject"] = f"[{severity}] {title}"
    message["Date"] = at
    message.set_content(text)
    host, port = server.hostname or "localhost", server.port
    tls = ssl.create_default_context()
    connection = (
        smtplib.SMTP_SSL(host, port or 465, timeout=TIMEOUT_SECONDS, context=tls)
        if server.scheme == "smtps"
        else smtplib.SMTP(host, port or 25, timeout=TIMEOUT_SECONDS)
    )
    with connection as session:
        if server.scheme != "smtps" and session.has_extn("starttls"):
            session.starttls(context=tls)
        if server.username and server.password:
            session.login(unquote(server.username), unquote(server.password))
        session.send_message(message)


def _safely(error: Exception) -> str:
    if isinstance(error, httpx.HTTPStatusError):
        return f"HTTP {error.response.status_code}"
    if isinstance(error, settings.ConfigurationError):
        return str(error)
    return type(error).__name__
