"""Meta's Graph API: ad accounts, campaigns, insights, synchronous and as report runs.

Amounts and counts are strings; a list ends when `paging.next` is missing, while `cursors.after` stays; throttles come
as HTTP 400. Levels account and campaign are served; ad sets and ads are not simulated.
"""

from __future__ import annotations

from datetime import date
from typing import Any
from urllib.parse import urlencode

from sandbox.exchange import Answer, Call, Handler, Refusal, World, decode_cursor, encode_cursor
from sandbox.meta_ads.access import (
    VENDOR,
    account_of,
    authorize,
    error,
    fields_of,
    invalid,
    parameters_of,
    usage_headers,
)
from sandbox.meta_ads.insights import insights, json_parameter
from sandbox.meta_ads.nodes import ACCOUNT_FIELDS, CAMPAIGN_FIELDS, render_account, render_campaign

__all__ = ["ROUTES", "VENDOR", "asked_days", "hollow", "is_later_page", "rows_of", "stream_of"]


def _page(world: World, call: Call, parameters: dict[str, str], rows: list[dict[str, Any]], account_id: str) -> Answer:
    try:
        limit = int(parameters.get("limit", world.settings.meta_default_limit))
        start = decode_cursor(parameters["after"])[0] if "after" in parameters else 0
    except ValueError:
        raise invalid("Param after is not a valid cursor, or limit is not a number.") from None
    if limit < 1:
        raise invalid("Param limit must be a positive integer.")
    limit = min(limit, world.settings.meta_max_limit)
    page = rows[start : start + limit]
    payload: dict[str, Any] = {"data": page}
    if page:
        after = encode_cursor(start + len(page))
        payload["paging"] = {"cursors": {"before": encode_cursor(start), "after": after}}
        if start + limit < len(rows):
            payload["paging"]["next"] = _next_url(call, parameters, after)
    return Answer(payload, headers=usage_headers(account_id))


def _next_url(call: Call, parameters: dict[str, str], after: str) -> str:
    rest = {name: value for name, value in parameters.items() if name not in ("after", "appsecret_proof", "method")}
    return f"{call.base_url}{call.path}?{urlencode({**rest, 'after': after})}"


def get_node(world: World, call: Call, parts: dict[str, str]) -> Answer:
    """GET /vN/{act_… | campaign | report run}."""
    parameters = authorize(world, call, parts["version"])
    node = parts["node"]
    run = world.cursors.get(f"run {node}")
    if run is not None:
        run["polls"] += 1
        done = run["polls"] > world.settings.report_polls
        return Answer(
            {
                "id": node,
                "account_id": run["account"].id,
                "async_status": "Job Completed" if done else "Job Running",
                "async_percent_completion": 100 if done else 50,
            },
            headers=usage_headers(run["account"].id),
        )
    for account in world.scenario.accounts(VENDOR):
        for campaign in account.campaigns:
            if campaign.id == node and campaign.is_listed(call.now):
                fields = fields_of(parameters, CAMPAIGN_FIELDS, ("id",))
                return Answer(render_campaign(account, campaign, fields, call.now), headers=usage_headers(account.id))
    account = account_of(world, node)
    fields = fields_of(parameters, ACCOUNT_FIELDS, ("account_id", "id"))
    return Answer(render_account(account, fields, call.now), headers=usage_headers(account.id))


def list_accounts(world: World, call: Call, parts: dict[str, str]) -> Answer:
    """GET /vN/me/adaccounts."""
    parameters = authorize(world, call, parts["version"])
    fields = fields_of(parameters, ACCOUNT_FIELDS, ("account_id", "id"))
    rows = [render_account(account, fields, call.now) for account in world.scenario.accounts(VENDOR)]
    return _page(world, call, parameters, rows, "0")


def list_campaigns(world: World, call: Call, parts: dict[str, str]) -> Answer:
    """GET /vN/act_…/campaigns."""
    parameters = authorize(world, call, parts["version"])
    account = account_of(world, parts["node"])
    fields = fields_of(parameters, CAMPAIGN_FIELDS, ("id",))
    wanted = json_parameter(parameters, "effective_status")
    rows = [
        render_campaign(account, campaign, fields, call.now)
        for campaign in account.campaigns
        if campaign.is_listed(call.now) and (not wanted or campaign.status_at(call.now) in wanted)
    ]
    return _page(world, call, parameters, rows, account.id)


def read_insights(world: World, call: Call, parts: dict[str, str]) -> Answer:
    """GET /vN/act_…/insights, or the pages of a finished report run. Raises Refusal."""
    parameters = authorize(world, call, parts["version"])
    run = world.cursors.get(f"run {parts['node']}")
    if run is not None:
        if run["polls"] <= world.settings.report_polls:
            raise Refusal(error("(#2601) Loading Async Report Insights data is not ready", 2601, subcode=1815107))
        return _page(world, call, parameters, run["rows"], run["account"].id)
    if parts["node"].isdigit():
        for account in world.scenario.accounts(VENDOR):
            for campaign in account.campaigns:
                if campaign.id == parts["node"]:
                    rows = insights(account, [campaign], {"level": "campaign", **parameters}, call.now)
                    return _page(world, call, parameters, rows, account.id)
    account = account_of(world, parts["node"])
    rows = insights(account, account.campaigns, parameters, call.now)
    return _page(world, call, parameters, rows, account.id)


def start_report(world: World, call: Call, parts: dict[str, str]) -> Answer:
    """POST /vN/act_…/insights: a report run that is polled and read later."""
    parameters = authorize(world, call, parts["version"])
    account = account_of(world, parts["node"])
    rows = insights(account, account.campaigns, parameters, call.now)
    run_id = str(700_000_000_000 + world.number("meta run"))
    world.cursors[f"run {run_id}"] = {"account": account, "rows": rows, "polls": 0}
    return Answer({"report_run_id": run_id}, headers=usage_headers(account.id))


VERSION = r"/(?P<version>v\d+\.\d+)"
ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("GET", VERSION + r"/me/adaccounts/?", list_accounts),
    ("GET", VERSION + r"/(?P<node>act_\d+)/campaigns/?", list_campaigns),
    ("GET", VERSION + r"/(?P<node>act_\d+|\d+)/insights/?", read_insights),
    ("POST", VERSION + r"/(?P<node>act_\d+)/insights/?", start_report),
    ("GET", VERSION + r"/(?P<node>act_\w+|\d+)/?", get_node),
)


def stream_of(world: World, call: Call) -> str | None:
    path = call.path.rstrip("/")
    if path.endswith("/insights"):
        return "insights"
    if path.endswith("/campaigns"):
        return "campaigns"
    node = path.rpartition("/")[2]
    if f"run {node}" in world.cursors:
        return "insights"
    return "accounts"


def is_later_page(call: Call) -> bool:
    return "after" in call.query


def rows_of(payload: Any) -> list[Any] | None:
    return payload.get("data") if isinstance(payload, dict) else None


def hollow(call: Call, payload: Any) -> Any:
    """The answer as an empty page that is not the last."""
    offset, spelling = decode_cursor(call.query["after"])
    again = encode_cursor(offset, spelling + 1)
    return {
        "data": [],
        "paging": {
            "cursors": {"before": call.query["after"], "after": again},
            "next": _next_url(call, call.query, again),
        },
    }


def asked_days(call: Call) -> int:
    """How many days an insights request covers."""
    given = json_parameter(parameters_of(call), "time_range")
    if not given:
        return 30
    return (date.fromisoformat(given["until"]) - date.fromisoformat(given["since"])).days + 1
