"""Salesforce: tokens, query, queryAll, locators, describe, limits, one record over REST; queries over Bulk API 2.0.

`query` hides deleted records, `queryAll` shows them with IsDeleted; `nextRecordsUrl` contains `query` after either.
Pages hold at most 2,000 records. A bulk query is complete at its first poll; its results are CSV.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from sandbox.exchange import Call, Handler, World
from sandbox.salesforce.access import give_token
from sandbox.salesforce.bulk import ask_about_job, delete_job, read_results, submit_job
from sandbox.salesforce.descriptions import (
    describe,
    get_record,
    limits,
    list_resources,
    list_sobjects,
    list_versions,
    updated_or_deleted,
)
from sandbox.salesforce.queries import more_records, run_query
from sandbox.salesforce.schema import VENDOR

__all__ = ["ROUTES", "VENDOR", "hollow", "is_later_page", "rows_of", "stream_of"]

DATA = r"/services/data/v(?P<version>\d+\.\d+)"
ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("POST", r"/services/oauth2/token/?", give_token),
    ("GET", r"/services/data/?", list_versions),
    ("GET", DATA + r"/?", list_resources),
    ("GET", DATA + r"/(?P<verb>query|queryAll)/?", run_query),
    ("GET", DATA + r"/(?:query|queryAll)/(?P<locator>0r8\w+)-(?P<offset>\d+)/?", more_records),
    ("POST", DATA + r"/jobs/query/?", submit_job),
    ("GET", DATA + r"/jobs/query/(?P<job>750\w+)/?", ask_about_job),
    ("DELETE", DATA + r"/jobs/query/(?P<job>750\w+)/?", delete_job),
    ("GET", DATA + r"/jobs/query/(?P<job>750\w+)/results/?", read_results),
    ("GET", DATA + r"/limits/?", limits),
    ("GET", DATA + r"/sobjects/?", list_sobjects),
    ("GET", DATA + r"/sobjects/(?P<sobject>\w+)/describe/?", describe),
    ("GET", DATA + r"/sobjects/(?P<sobject>\w+)/(?P<which>updated|deleted)/?", updated_or_deleted),
    ("GET", DATA + r"/sobjects/(?P<sobject>\w+)/(?P<id>\w{15,18})/?", get_record),
)
STREAMS = {
    "Account": "accounts",
    "Campaign": "campaigns",
    "CampaignMember": "campaign_members",
    "Contact": "contacts",
    "CurrencyType": "currency_types",
    "DatedConversionRate": "currency_rates",
    "Event": "events",
    "Lead": "leads",
    "LeadHistory": "lead_history",
    "Opportunity": "opportunities",
    "OpportunityContactRole": "opportunity_contact_roles",
    "OpportunityHistory": "opportunity_history",
    "OpportunityLineItem": "opportunity_line_items",
    "Product2": "products",
    "Task": "tasks",
    "User": "users",
}


def stream_of(world: World, call: Call) -> str | None:
    if not call.path.startswith("/services/data"):
        return None
    tail = call.path.rstrip("/").rpartition("/")[2]
    known = world.cursors.get(tail.rpartition("-")[0])
    if known is not None:
        return STREAMS[known[0]]
    if "/jobs/query" in call.path:
        job = next((world.cursors[part] for part in call.path.split("/") if part in world.cursors), None)
        if job is not None:
            return STREAMS[job[0]]
    words = (call.query.get("q") or _query_of_job(call)).split()
    for word, following in pairwise(words):
        if word.lower() == "from":
            return next((stream for name, stream in STREAMS.items() if name.lower() == following.lower()), None)
    return None


def _query_of_job(call: Call) -> str:
    if call.method != "POST" or "/jobs/query" not in call.path:
        return ""
    try:
        return str(call.json.get("query", ""))
    except (ValueError, AttributeError):
        return ""


def is_later_page(call: Call) -> bool:
    return "/0r8" in call.path or ("/results" in call.path and "locator" in call.query)


def rows_of(payload: Any) -> list[Any] | None:
    return payload.get("records") if isinstance(payload, dict) else None


def hollow(call: Call, payload: Any) -> Any:
    """The answer as an empty page that is not the last; a leading zero in the locator means the same place."""
    start, _, offset = call.path.rstrip("/").rpartition("-")
    return {"totalSize": payload["totalSize"], "done": False, "nextRecordsUrl": f"{start}-0{offset}", "records": []}
