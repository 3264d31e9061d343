"""Refresh tokens that are replaced at every use: the old one is revoked when the new one is issued."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlencode

from sandbox.credentials import (
    HUBSPOT_REFRESH_TOKEN,
    LINKEDIN_REFRESH_TOKEN,
    MICROSOFT_REFRESH_TOKEN,
    SALESFORCE_REFRESH_TOKEN,
)
from sandbox.exchange import Answer, Call, Handler, World

# Vendors whose token endpoint may answer with a new refresh token, and the first one of each.
FIRST = {
    "hubspot": HUBSPOT_REFRESH_TOKEN,
    "linkedin_ads": LINKEDIN_REFRESH_TOKEN,
    "microsoft_ads": MICROSOFT_REFRESH_TOKEN,
    "salesforce": SALESFORCE_REFRESH_TOKEN,
}


def rotate(world: World, vendor: str, call: Call, give_token: Handler) -> Answer:
    """The token endpoint's answer if each refresh token may be used once; other grants are answered as usual."""
    asked = call.form
    if "refresh_token" not in asked:
        return give_token(world, call, {})
    is_newest = asked["refresh_token"] == world.refresh_tokens.get(vendor, FIRST[vendor])
    known = FIRST[vendor] if is_newest else "a token that was used before"
    answer = give_token(world, replace(call, body=urlencode({**asked, "refresh_token": known}).encode()), {})
    if answer.status == 200:
        newest = f"{FIRST[vendor]}-{world.number('refresh token'):06d}"
        world.refresh_tokens[vendor] = newest
        answer.payload = {**answer.payload, "refresh_token": newest}
    return answer
