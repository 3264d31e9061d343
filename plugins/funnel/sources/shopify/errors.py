"""What Shopify's error bodies mean."""

from typing import Any

from funnel.rest import diagnosis, messages
from funnel.rest.errors import (
    DeadToken,
    Refused,
    Throttled,
    TokenExpired,
    TooMuchData,
    Unavailable,
)

_ADVICE = {
    "ACCESS_DENIED": "Give the app the scope read_orders and access to protected customer data (e-mail).",
    "undefinedField": 'Set a live version in the connection\'s extra, for example {"version": "2026-10"}.',
}


def diagnose(answer: messages.Answer) -> messages.Diagnosis | None:
    """The diagnosis of an answer by Shopify's error body; None if it holds no error."""
    body = answer.parsed
    if not isinstance(body, dict):
        return None
    if isinstance(body.get("error"), str):
        return _diagnose_login(answer, body["error"], str(body.get("error_description", "")))
    errors = body.get("errors")
    if isinstance(errors, str):
        return _diagnose_refusal(answer, errors)
    if not isinstance(errors, list) or not errors:
        return None
    first = errors[0] if isinstance(errors[0], dict) else {"message": str(errors[0])}
    code = str(messages.value_at(first, "extensions.code") or "")
    message = f"{code}: {first.get('message', 'no message')}".removeprefix(": ")
    if code == "THROTTLED":
        return messages.Diagnosis(Throttled, message, wait_seconds=_wait(body))
    if code == "MAX_COST_EXCEEDED":
        return messages.Diagnosis(TooMuchData, message)
    if code in ("INTERNAL_SERVER_ERROR", "TIMEOUT", "SHOP_INACTIVE") or answer.status >= 500:
        if code == "SHOP_INACTIVE":
            return messages.Diagnosis(Refused, message, advice="The shop is closed or frozen: nothing can be read.")
        return messages.Diagnosis(Unavailable, message)
    return messages.Diagnosis(Refused, message, advice=_ADVICE.get(code))


def _wait(body: Any) -> float:
    """Seconds until the bucket has enough points for the query's cost."""
    asked = float(messages.value_at(body, "extensions.cost.requestedQueryCost") or 0)
    available = float(messages.value_at(body, "extensions.cost.throttleStatus.currentlyAvailable") or 0)
    rate = float(messages.value_at(body, "extensions.cost.throttleStatus.restoreRate") or 50)
    return max(1.0, (asked - available) / rate)


def _diagnose_refusal(answer: messages.Answer, message: str) -> messages.Diagnosis | None:
    if answer.status == 401:
        return messages.Diagnosis(TokenExpired, message)
    if answer.status == 402:
        return messages.Diagnosis(Refused, message, advice="The shop is frozen: its owner has to pay Shopify.")
    if answer.status == 403:
        return messages.Diagnosis(Refused, message, advice=_ADVICE["ACCESS_DENIED"])
    if answer.status in (423, 430) or answer.status == 429:
        return messages.Diagnosis(Throttled, message, wait_seconds=diagnosis.retry_after(answer) or 2.0)
    if answer.status == 404:
        advice = "Check the host (https://<shop>.myshopify.com) and the version in the connection's extra."
        return messages.Diagnosis(Refused, message, advice=advice)
    if answer.status < 300 or answer.status >= 500:
        return messages.Diagnosis(Unavailable, message)
    return messages.Diagnosis(Refused, message)


def _diagnose_login(answer: messages.Answer, error: str, description: str) -> messages.Diagnosis | None:
    if answer.status >= 500 or answer.status == 429:
        return None
    message = f"{error} {description}".strip()
    if error in ("invalid_client", "invalid_grant", "unauthorized_client", "application_cannot_be_found"):
        advice = "Check login (client id) and password (client secret), and that the app is installed in this shop."
        return messages.Diagnosis(DeadToken, message, advice=advice)
    return messages.Diagnosis(Refused, message)
