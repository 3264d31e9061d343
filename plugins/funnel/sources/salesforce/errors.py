"""What Salesforce's error bodies mean."""

from funnel.rest import diagnosis, errors, messages

_ADVICE = {
    "INVALID_FIELD": "Give the integration user read access to this field (field-level security).",
    "INVALID_TYPE": "Give the integration user read access to this object.",
    "API_DISABLED_FOR_ORG": "Use an edition with API access, or give the user 'API Enabled'.",
    "TXN_SECURITY_METERING_ERROR": "Relax the transaction security policy that stops the integration user.",
    "UNSUPPORTED_API_VERSION": 'Set a live version in the connection\'s extra, for example {"version": "v68.0"}.',
}


def diagnose(answer: messages.Answer) -> messages.Diagnosis | None:
    """The diagnosis of an answer by Salesforce's error body; None if it holds no error."""
    body = answer.parsed
    if isinstance(body, dict) and isinstance(body.get("error"), str):
        return _diagnose_login(answer, body["error"], str(body.get("error_description", "")))
    if not (isinstance(body, list) and body and isinstance(body[0], dict) and "errorCode" in body[0]):
        return None
    code = str(body[0]["errorCode"])
    message = f"{code}: {body[0].get('message', 'no message')}"
    if code == "INVALID_SESSION_ID" or answer.status == 401:
        return messages.Diagnosis(errors.TokenExpired, message)
    if code == "REQUEST_LIMIT_EXCEEDED":
        if "concurrent" in message.lower():
            return messages.Diagnosis(errors.Throttled, message, wait_seconds=30.0)
        # A budget of 24 rolling hours: a part of it is free again in one hour.
        return messages.Diagnosis(errors.QuotaExhausted, message, wait_seconds=3600.0)
    if code in ("INVALID_QUERY_LOCATOR", "INVALID_LOCATOR"):
        return messages.Diagnosis(errors.RestartWindow, message)
    if code in ("QUERY_TIMEOUT", "OPERATION_TOO_LARGE"):
        return messages.Diagnosis(errors.TooMuchData, message)
    if code == "INVALID_FIELD":
        return messages.Diagnosis(errors.UnknownField, message, advice=_ADVICE[code])
    if code in ("SERVER_UNAVAILABLE", "UNKNOWN_EXCEPTION", "UNABLE_TO_LOCK_ROW") or answer.status >= 500:
        return messages.Diagnosis(errors.Unavailable, message, wait_seconds=diagnosis.retry_after(answer))
    if answer.status < 300:
        return messages.Diagnosis(errors.Unavailable, message)
    return messages.Diagnosis(errors.Refused, message, advice=_ADVICE.get(code))


def _diagnose_login(answer: messages.Answer, error: str, description: str) -> messages.Diagnosis | None:
    message = f"{error} {description}".strip()
    if "login rate exceeded" in description:
        return messages.Diagnosis(errors.Throttled, message, wait_seconds=60.0)
    if answer.status >= 500 or error in ("server_error", "temporarily_unavailable"):
        return messages.Diagnosis(errors.Unavailable, message)
    if error in ("invalid_grant", "invalid_client", "invalid_client_id", "inactive_user", "inactive_org"):
        return messages.Diagnosis(
            errors.DeadToken,
            message,
            advice="Check the app's client id, secret and run-as user, and that the app is approved for that user.",
        )
    return messages.Diagnosis(errors.Refused, message)
