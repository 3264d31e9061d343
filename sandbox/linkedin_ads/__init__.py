"""LinkedIn's marketing interface: tokens, ad accounts, campaigns and adAnalytics, versioned by month.

Queries are Rest.li 2.0: lists and records in brackets that must not be escaped. Lists of accounts and campaigns have
pages by token; adAnalytics has none and is silently cut after 15,000 elements. Pivots ACCOUNT and CAMPAIGN are served;
creatives, demographics and the statistics finder are not simulated.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from sandbox.exchange import Call, Handler, World, decode_cursor, encode_cursor
from sandbox.linkedin_ads.access import VENDOR, give_token, parameters_of
from sandbox.linkedin_ads.accounts import get_account, list_accounts, list_campaigns
from sandbox.linkedin_ads.analytics import read_analytics

__all__ = ["ROUTES", "VENDOR", "hollow", "is_later_page", "rows_of", "stream_of"]

# A POST may be a GET whose query was too long for a URL.
_READS: tuple[tuple[str, Handler], ...] = (
    (r"/rest/adAccounts", list_accounts),
    (r"/rest/adAccounts/(?P<account>\d+)", get_account),
    (r"/rest/adAccounts/(?P<account>\d+)/adCampaigns", list_campaigns),
    (r"/rest/adAnalytics", read_analytics),
)
ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("POST", r"/oauth/v2/accessToken", give_token),
    *((method, path, handler) for method in ("GET", "POST") for path, handler in _READS),
)


def stream_of(world: World, call: Call) -> str | None:
    path = call.path.rstrip("/")
    if path.endswith("/adAnalytics"):
        return "campaign_stats"
    if path.endswith("/adCampaigns"):
        return "campaigns"
    return "accounts" if "/adAccounts" in path else None


def is_later_page(call: Call) -> bool:
    return "pageToken" in parameters_of(call)


def rows_of(payload: Any) -> list[Any] | None:
    return payload.get("elements") if isinstance(payload, dict) else None


def hollow(call: Call, payload: Any) -> Any:
    """The answer as an empty page that is not the last."""
    offset, spelling = decode_cursor(unquote(parameters_of(call)["pageToken"]))
    return {**payload, "elements": [], "metadata": {"nextPageToken": encode_cursor(offset, spelling + 1)}}
