"""No secret is in an error, a log, a landed body or the text of a connection."""

import json
import logging
from typing import Any
from urllib.parse import quote

import pytest

from funnel.rest.errors import (
    VendorError,
)
from funnel.sources import SOURCES
from tests.rest.test_rest import read

# Secrets ---------------------------------------------------------------------------------------------------------


def secrets_of(connection: Any) -> list[str]:
    extra = connection.extra
    plain = [connection.password, extra["refresh_token"], extra["app_secret"], "session-of-stub"]
    return [*plain, *(quote(secret, safe="") for secret in plain)]


@pytest.mark.parametrize("source", sorted(set(SOURCES) - {"files"}))
@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 429, 500])
def test_no_secret_is_in_an_error_or_a_log(
    vendor: Any, slept: list[float], caplog: pytest.LogCaptureFixture, source: str, status: int
) -> None:
    connection = vendor.connection()

    def answer(asked: Any) -> Any:
        if asked.path in ("/token", "/services/oauth2/token"):
            return vendor.reply({"access_token": "session-of-stub"})
        told = " ".join([*secrets_of(connection)[:3], json.dumps(asked.params), asked.text, str(asked.headers)])
        shapes: dict[str, Any] = {
            "salesforce": [{"errorCode": "UNKNOWN", "message": told}],
            "hubspot": {"status": "error", "message": told, "category": "VALIDATION_ERROR"},
        }
        return vendor.reply(shapes.get(source, {"error": {"code": 1, "message": told}}), status=status)

    vendor.answer = answer
    with caplog.at_level(logging.DEBUG), pytest.raises(VendorError) as raised:
        read(source, SOURCES[source].streams[0].name, connection)
    chain, seen = raised.value, ""
    while chain is not None:
        seen += f"{chain!s} {chain!r} {vars(chain)}"
        chain = chain.__cause__ or (None if chain.__suppress_context__ else chain.__context__)
    seen += caplog.text
    assert connection.connection_id in seen
    assert [secret for secret in secrets_of(connection) if secret in seen] == []


def test_token_in_the_link_to_the_next_page_is_not_landed(vendor: Any) -> None:
    connection = vendor.connection()

    def answer(asked: Any) -> Any:
        link = f"{vendor.base_url}{asked.path}?after=b&access_token={asked.params['access_token']}"
        paging = {} if "after" in asked.params else {"next": link}
        return vendor.reply({"data": [], "paging": paging})

    vendor.answer = answer
    bodies = read("meta_ads", "campaigns", connection)
    assert len(bodies) == 2
    assert connection.password.encode() not in b"".join(bodies)


def test_a_connection_shows_no_secret(vendor: Any) -> None:
    connection = vendor.connection()
    assert [secret for secret in secrets_of(connection) if secret in repr(connection)] == []
