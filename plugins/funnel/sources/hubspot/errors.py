"""What HubSpot's error bodies mean."""

from typing import Any

from funnel.rest import diagnosis, messages
from funnel.rest.errors import DeadToken, QuotaExhausted, Refused, Throttled, TokenExpired, Unavailable

# HubSpot sends no Retry-After; the policy's name says which limit was exceeded.
_WAITS = {"SECONDLY": 1.0, "TEN_SECONDLY_ROLLING": 10.0}


def diagnose(answer: messages.Answer) -> messages.Diagnosis | None:
    """The diagnosis of an answer by HubSpot's error body; None if it holds no error."""
    body = answer.parsed
    if not isinstance(body, dict):
        return None
    if answer.status == 207 or body.get("numErrors"):
        return _diagnose_batch(body)
    if answer.status < 300 and body.get("status") != "error":
        return None
    category = str(body.get("category") or body.get("errorType") or "")
    message = f"{category}: {body.get('message', 'no message')}".removeprefix(": ")
    if answer.status == 429 or category in ("RATE_LIMIT", "RATE_LIMITS"):
        policy = str(body.get("policyName") or "")
        if policy == "DAILY" or "daily" in message.lower():
            # The limit ends at midnight in the portal's zone; a request once an hour costs next to nothing.
            return messages.Diagnosis(QuotaExhausted, message, wait_seconds=3600.0)
        return messages.Diagnosis(
            Throttled, message, wait_seconds=diagnosis.retry_after(answer) or _WAITS.get(policy, 2.0)
        )
    if str(body.get("status", "")).startswith("BAD_"):
        message = f"{body['status']}: {body.get('message', 'no message')}"
        advice = "Check the app's client id, secret and refresh token; if the app was removed, install it again."
        return messages.Diagnosis(DeadToken, message, advice=advice)
    if answer.status == 401:
        is_expired = category == "EXPIRED_AUTHENTICATION"
        return messages.Diagnosis(TokenExpired if is_expired else DeadToken, message)
    if category == "MISSING_SCOPES" or answer.status == 403:
        return messages.Diagnosis(
            Refused, message, advice="Add the missing scope to the service key; docs/connections.md lists them."
        )
    if answer.status == 477:  # the portal is being moved between data centres
        return messages.Diagnosis(Throttled, message, wait_seconds=diagnosis.retry_after(answer) or 60.0)
    if answer.status >= 500 or answer.status in (200, 408, 423):
        return messages.Diagnosis(Unavailable, message, wait_seconds=diagnosis.retry_after(answer))
    if answer.status == 400:
        return messages.Diagnosis(Refused, message)
    return None


def _diagnose_batch(body: dict[str, Any]) -> messages.Diagnosis | None:
    errors = [error for error in body.get("errors") or () if error.get("category") != "OBJECT_NOT_FOUND"]
    if not errors:
        return None
    return messages.Diagnosis(Unavailable, f"part of a batch failed: {errors[0].get('message', 'no message')}")
