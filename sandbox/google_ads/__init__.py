"""Google Ads over REST: tokens, search, searchStream and a subset of GAQL.

Resources: campaign, customer, conversion_action. Money and counts are int64 and therefore strings; rows whose metrics
are all zero do not exist; `search` pages hold 10,000 rows, and a request for another size is refused.
"""

from __future__ import annotations

from typing import Any

from sandbox.exchange import Answer, Call, Handler, Refusal, World, decode_cursor, encode_cursor
from sandbox.google_ads.access import VENDOR, authorize, customer, give_token, invalid
from sandbox.google_ads.rows import run

__all__ = ["ROUTES", "VENDOR", "hollow", "is_later_page", "rows_of", "stream_of"]


def _body(call: Call) -> dict[str, Any]:
    try:
        body = call.json
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Refusal(
            Answer(
                {"error": {"code": 400, "message": "Invalid JSON payload received.", "status": "INVALID_ARGUMENT"}}, 400
            )
        )
    for name in body:
        if name not in ("query", "pageToken", "pageSize", "validateOnly", "searchSettings", "summaryRowSetting"):
            raise Refusal(
                Answer(
                    {
                        "error": {
                            "code": 400,
                            "message": f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.',
                            "status": "INVALID_ARGUMENT",
                        }
                    },
                    400,
                )
            )
    if not body.get("query"):
        raise invalid("queryError", "UNEXPECTED_END_OF_QUERY", "Error in query: the query is empty.")
    return body


def search(world: World, call: Call, parts: dict[str, str]) -> Answer:
    """POST /vN/customers/{id}/googleAds:search: one object with at most 10,000 rows."""
    authorize(world, call, int(parts["version"]))
    account = customer(world, call, parts["customer"])
    body = _body(call)
    if "pageSize" in body:
        raise invalid(
            "requestError", "PAGE_SIZE_NOT_SUPPORTED", "Setting the page size is not supported. Page size is fixed."
        )
    query, rows = run(world, account, body["query"], call.now)
    start = 0
    if token := body.get("pageToken"):
        try:
            start = decode_cursor(token)[0]
        except ValueError:
            raise invalid("requestError", "INVALID_PAGE_TOKEN", "Page token is invalid.") from None
    size = world.settings.google_page_size
    payload: dict[str, Any] = {"results": rows[start : start + size]}
    if start + size < len(rows):
        payload["nextPageToken"] = encode_cursor(start + size)
    payload["fieldMask"] = query.field_mask
    payload["queryResourceConsumption"] = str(200 + len(rows))
    return Answer(payload)


def search_stream(world: World, call: Call, parts: dict[str, str]) -> Answer:
    """POST /vN/customers/{id}/googleAds:searchStream: an array of batches; errors come in an array too."""
    try:
        authorize(world, call, int(parts["version"]))
        account = customer(world, call, parts["customer"])
        query, rows = run(world, account, _body(call)["query"], call.now)
    except Refusal as refusal:
        if refusal.answer.payload is not None:
            refusal.answer.payload = [refusal.answer.payload]
        raise
    size = world.settings.google_page_size
    request_id = f"sandbox-{world.number('google request')}"
    batches = [
        {"results": rows[start : start + size], "fieldMask": query.field_mask, "requestId": request_id}
        for start in range(0, len(rows), size)
    ]
    if not batches:
        batches = [{"results": [], "fieldMask": query.field_mask, "requestId": request_id}]
        del batches[0]["results"]
    batches[-1]["queryResourceConsumption"] = str(200 + len(rows))
    return Answer(batches)


def list_customers(world: World, call: Call, parts: dict[str, str]) -> Answer:
    """GET /vN/customers:listAccessibleCustomers."""
    authorize(world, call, int(parts["version"]))
    return Answer({"resourceNames": [f"customers/{account.id}" for account in world.scenario.accounts(VENDOR)]})


ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("POST", r"/token", give_token),
    ("POST", r"/v(?P<version>\d+)/customers/(?P<customer>[^/]+)/googleAds:search", search),
    ("POST", r"/v(?P<version>\d+)/customers/(?P<customer>[^/]+)/googleAds:searchStream", search_stream),
    ("GET", r"/v(?P<version>\d+)/customers:listAccessibleCustomers", list_customers),
)


def stream_of(world: World, call: Call) -> str | None:
    if "googleAds:search" not in call.path:
        return None
    return "campaign_stats" if b"segments.date" in call.body else "campaigns"


def is_later_page(call: Call) -> bool:
    return b'"pageToken"' in call.body


def rows_of(payload: Any) -> list[Any] | None:
    batch = payload[0] if isinstance(payload, list) and payload else payload
    return batch.get("results") if isinstance(batch, dict) else None


def hollow(call: Call, payload: Any) -> Any:
    """The answer with an empty page in its middle."""
    if isinstance(payload, list):
        empty = {"results": [], **{key: payload[0][key] for key in ("fieldMask", "requestId")}}
        rows = payload[0].get("results", [])
        middle = len(rows) // 2
        first = {**payload[0], "results": rows[:middle]}
        return [first, empty, {**payload[0], "results": rows[middle:]}, *payload[1:]]
    offset, spelling = decode_cursor(call.json["pageToken"])
    return {**payload, "results": [], "nextPageToken": encode_cursor(offset, spelling + 1)}
