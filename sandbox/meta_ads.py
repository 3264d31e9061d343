"""Meta's Graph API: ad accounts, campaigns, insights, synchronous and as report runs.

Amounts and counts are strings; a list ends where `paging.next` is missing while `cursors.after` stays; throttles come
as HTTP 400. Levels account and campaign are served; ad sets and ads are not part of the company.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import date, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import orjson

from sandbox.ads import AdAccount, Campaign, Figures
from sandbox.clock import day_of, instant
from sandbox.credentials import META_ACCESS_TOKEN, META_APP_SECRET
from sandbox.exchange import Answer, Call, Handler, Refusal, World, decode_cursor, encode_cursor

VENDOR = "meta_ads"
VERSIONS = ("v26.0", "v25.0")
MONTHS_KEPT = 37
GONE_WINDOWS = ("7d_view", "28d_view")
WINDOWS = ("1d_click", "7d_click", "28d_click", "1d_view", "1d_ev", "dda", "default", "skan_click", "skan_view")

INSIGHT_FIELDS = [
    "account_id",
    "account_name",
    "account_currency",
    "campaign_id",
    "campaign_name",
    "objective",
    "impressions",
    "clicks",
    "spend",
    "reach",
    "frequency",
    "cpc",
    "cpm",
    "ctr",
    "actions",
    "action_values",
    "conversions",
    "conversion_values",
    "date_start",
    "date_stop",
    "created_time",
    "updated_time",
    "buying_type",
    "inline_link_clicks",
    "unique_clicks",
    "cost_per_action_type",
    "purchase_roas",
    "attribution_setting",
    "outbound_clicks",
    "optimization_goal",
    "adset_id",
    "adset_name",
    "ad_id",
    "ad_name",
]
CAMPAIGN_FIELDS = [
    "id",
    "account_id",
    "name",
    "status",
    "effective_status",
    "configured_status",
    "objective",
    "buying_type",
    "created_time",
    "start_time",
    "stop_time",
    "updated_time",
    "daily_budget",
    "lifetime_budget",
    "special_ad_categories",
]
ACCOUNT_FIELDS = [
    "id",
    "account_id",
    "name",
    "currency",
    "timezone_name",
    "timezone_id",
    "timezone_offset_hours_utc",
    "account_status",
    "business_name",
    "created_time",
    "amount_spent",
    "balance",
]


# --- errors and headers ---------------------------------------------------------------------------------------------


def error(
    message: str, code: int, kind: str = "OAuthException", subcode: int | None = None, status: int = 400, **more: Any
) -> Answer:
    body: dict[str, Any] = {"message": message, "type": kind, "code": code}
    if subcode is not None:
        body["error_subcode"] = subcode
    return Answer({"error": {**body, **more, "fbtrace_id": "AsandboxTrace"}}, status)


def _invalid(message: str) -> Refusal:
    return Refusal(error(f"(#100) {message}", 100))


def usage_headers(account_id: str = "0", used: int = 1, minutes_to_regain: int = 0) -> dict[str, str]:
    usage = {
        "type": "ads_insights",
        "call_count": used,
        "total_cputime": used,
        "total_time": used,
        "estimated_time_to_regain_access": minutes_to_regain,
        "ads_api_access_tier": "standard_access",
    }
    return {
        "x-business-use-case-usage": orjson.dumps({account_id: [usage]}).decode(),
        "x-app-usage": orjson.dumps({"call_count": used, "total_cputime": used, "total_time": used}).decode(),
        "x-fb-ads-insights-throttle": orjson.dumps({"app_id_util_pct": used, "acc_id_util_pct": used}).decode(),
        "facebook-api-version": VERSIONS[0],
    }


def _parameters(call: Call) -> dict[str, str]:
    return {**call.query, **(call.form if call.method == "POST" else {})}


def _authorize(world: World, call: Call, version: str) -> dict[str, str]:
    if version not in VERSIONS and not world.settings.accept_sunset_versions:
        if float(version[1:]) > float(VERSIONS[0][1:]):
            raise Refusal(error(f"Unknown path components: /{version}", 2500))
        raise Refusal(
            error(
                "(#2635) You are calling a deprecated version of the Ads API. Please update to the latest version: "
                f"{VERSIONS[0]}.",
                2635,
            )
        )
    parameters = _parameters(call)
    token = parameters.get("access_token") or call.bearer
    if not token:
        raise Refusal(error("An access token is required to request this resource.", 104))
    if token != META_ACCESS_TOKEN or token in world.revoked:
        raise Refusal(error("Invalid OAuth access token - Cannot parse access token", 190))
    proof = parameters.get("appsecret_proof")
    expected = hmac.new(META_APP_SECRET.encode(), token.encode(), hashlib.sha256).hexdigest()
    if proof is None and world.settings.meta_requires_proof:
        raise Refusal(
            error("API calls from the server require an appsecret_proof argument", 100, "GraphMethodException")
        )
    if proof is not None and not hmac.compare_digest(proof, expected):
        raise Refusal(error("Invalid appsecret_proof provided in the API argument", 100, "GraphMethodException"))
    return parameters


def _account(world: World, node: str) -> AdAccount:
    for account in world.scenario.accounts(VENDOR):
        if node == f"act_{account.id}":
            return account
    raise Refusal(
        error(
            f"Unsupported get request. Object with ID '{node}' does not exist, cannot be loaded due to missing "
            "permissions, or does not support this operation. Please read the Graph API documentation at "
            "https://developers.facebook.com/docs/graph-api",
            100,
            "GraphMethodException",
            33,
        )
    )


def _fields(parameters: dict[str, str], known: list[str], default: tuple[str, ...]) -> list[str]:
    given = parameters.get("fields", "")
    # The SDK sends a comma list with GET and a JSON array with POST.
    names = (
        orjson.loads(given) if given.startswith("[") else [name.strip() for name in given.split(",") if name.strip()]
    )
    for name in names:
        if name not in known:
            raise _invalid(f"{name} is not valid for fields param. please check https://developers.facebook.com/docs/")
    return names or list(default)


# --- nodes ----------------------------------------------------------------------------------------------------------


def _render_account(account: AdAccount, fields: list[str], now: int) -> dict[str, Any]:
    offset = instant(now).astimezone(ZoneInfo(account.time_zone)).utcoffset()
    values: dict[str, Any] = {
        "id": f"act_{account.id}",
        "account_id": account.id,
        "name": account.name,
        "currency": account.currency,
        "timezone_name": account.time_zone,
        "timezone_id": 1,
        "timezone_offset_hours_utc": int(offset.total_seconds() // 3600) if offset else 0,
        "account_status": 1,
        "business_name": account.name,
        "amount_spent": "0",
        "balance": "0",
    }
    return {name: values[name] for name in dict.fromkeys([*fields, "id"]) if name in values}


def _time(at: int) -> str:
    return instant(at).strftime("%Y-%m-%dT%H:%M:%S+0000")


def _render_campaign(account: AdAccount, campaign: Campaign, fields: list[str], now: int) -> dict[str, Any]:
    status = campaign.status_at(now)
    values: dict[str, Any] = {
        "id": campaign.id,
        "account_id": account.id,
        "name": campaign.name_at(now),
        "status": status,
        "effective_status": status,
        "configured_status": status,
        "objective": campaign.kind,
        "buying_type": "AUCTION",
        "created_time": _time(campaign.names[0][0]),
        "start_time": _time(campaign.names[0][0]),
        "updated_time": _time(max(at for at, _ in [*campaign.names, *campaign.statuses] if at <= now)),
        "special_ad_categories": [],
    }
    return {name: values[name] for name in dict.fromkeys([*fields, "id"]) if name in values}


def _money(cents: int) -> str:
    text = f"{cents // 100}.{cents % 100:02d}"
    return text.rstrip("0").rstrip(".")


def _actions(count: float, windows: list[str]) -> list[dict[str, str]]:
    number = int(count)
    if not number:
        return []
    action = {"action_type": "lead", "value": str(number)}
    for window in windows:
        share = number if window.endswith("click") else number // 4
        if share:
            action[window] = str(share)
    return [action]


def _render_insight(
    account: AdAccount,
    campaign: Campaign | None,
    figures: Figures,
    first: date,
    last: date,
    fields: list[str],
    windows: list[str],
    now: int,
) -> dict[str, Any]:
    values: dict[str, Any] = {
        "account_id": account.id,
        "account_name": account.name,
        "account_currency": account.currency,
        "impressions": str(figures.impressions),
        "clicks": str(figures.clicks),
        "spend": _money(figures.spend_cents),
        "reach": str(figures.impressions * 3 // 4),
        "inline_link_clicks": str(figures.clicks),
        "buying_type": "AUCTION",
    }
    if figures.clicks:
        values["cpc"] = f"{figures.spend_cents / 100 / figures.clicks:.6f}"
    if figures.impressions:
        values["cpm"] = f"{figures.spend_cents * 10 / figures.impressions:.6f}"
        values["ctr"] = f"{figures.clicks * 100 / figures.impressions:.6f}"
        values["frequency"] = f"{figures.impressions / max(1, figures.impressions * 3 // 4):.6f}"
    if actions := _actions(figures.conversions, windows):
        values["actions"] = actions
        values["action_values"] = [
            {"action_type": "lead", "value": _money(round(figures.conversions_value * 100))},
        ]
    if campaign is not None:
        values |= {
            "campaign_id": campaign.id,
            "campaign_name": campaign.name_at(now),
            "objective": campaign.kind,
        }
    rendered = {name: values[name] for name in fields if name in values}
    rendered["date_start"] = first.isoformat()
    rendered["date_stop"] = last.isoformat()
    return rendered


# --- insights -------------------------------------------------------------------------------------------------------


def _json_parameter(parameters: dict[str, str], name: str) -> Any:
    if name not in parameters:
        return None
    try:
        return orjson.loads(parameters[name])
    except ValueError:
        raise _invalid(f"Param {name} must be valid JSON.") from None


def _range(parameters: dict[str, str], today: date) -> tuple[date, date]:
    given = _json_parameter(parameters, "time_range")
    if given is None:
        preset = parameters.get("date_preset", "last_30d")
        presets = {
            "today": (today, today),
            "yesterday": (today - timedelta(1), today - timedelta(1)),
            "last_7d": (today - timedelta(7), today - timedelta(1)),
            "last_14d": (today - timedelta(14), today - timedelta(1)),
            "last_30d": (today - timedelta(30), today - timedelta(1)),
            "last_90d": (today - timedelta(90), today - timedelta(1)),
            "maximum": (date(today.year - 3, today.month, 1), today),
        }
        if preset not in presets:
            raise _invalid(f"date_preset must be one of the following values: {', '.join(presets)}")
        return presets[preset]
    try:
        since, until = date.fromisoformat(given["since"]), date.fromisoformat(given["until"])
    except (KeyError, TypeError, ValueError):
        raise _invalid("Must be a date representation in the format YYYY-MM-DD") from None
    if since > until:
        raise _invalid("time_range 'since' must not be after 'until'.")
    months = today.year * 12 + today.month - 1 - MONTHS_KEPT
    if since < date(months // 12, months % 12 + 1, min(today.day, 28)):
        raise Refusal(
            error(
                "(#3018) The start date of the time range cannot be beyond 37 months from the current date",
                3018,
                subcode=1504033,
            )
        )
    return since, until


def _insights(
    account: AdAccount, campaigns: list[Campaign], parameters: dict[str, str], now: int
) -> list[dict[str, Any]]:
    fields = _fields(parameters, INSIGHT_FIELDS, ("impressions", "spend"))
    level = parameters.get("level", "account")
    if level not in ("account", "campaign"):
        raise _invalid("level must be one of the following values: campaign, account")
    windows = _json_parameter(parameters, "action_attribution_windows") or []
    for window in windows:
        if window in GONE_WINDOWS or window not in WINDOWS:
            raise _invalid(f"action_attribution_windows[0] must be one of the following values: {', '.join(WINDOWS)}")
    today = day_of(now, account.time_zone)
    since, until = _range(parameters, today)
    increment = parameters.get("time_increment", "all_days")
    if increment not in ("1", "all_days"):
        raise _invalid("time_increment must be 1 or all_days here")
    last = min(until, today)
    days = [since + timedelta(n) for n in range((last - since).days + 1)]
    spans = [(day, day) for day in days] if increment == "1" else [(since, until)]
    groups: list[tuple[Campaign | None, list[Campaign]]] = (
        [(None, campaigns)] if level == "account" else [(campaign, [campaign]) for campaign in campaigns]
    )
    rows = []
    for first, final in spans:
        for campaign, members in groups:
            shown = [
                figures
                for member in members
                for day in (days if increment != "1" else [first])
                if (figures := account.report(member, day, now))
            ]
            if shown:
                total = Figures(
                    sum(part.spend_cents for part in shown),
                    sum(part.impressions for part in shown),
                    sum(part.clicks for part in shown),
                    sum(part.conversions for part in shown),
                    sum(part.conversions_value for part in shown),
                )
                rows.append(_render_insight(account, campaign, total, first, final, fields, windows, now))
    return rows


# --- pages ----------------------------------------------------------------------------------------------------------


def _page(world: World, call: Call, parameters: dict[str, str], rows: list[dict[str, Any]], account_id: str) -> Answer:
    try:
        limit = int(parameters.get("limit", world.settings.meta_default_limit))
        start = decode_cursor(parameters["after"])[0] if "after" in parameters else 0
    except ValueError:
        raise _invalid("Param after is not a valid cursor, or limit is not a number.") from None
    if limit < 1:
        raise _invalid("Param limit must be a positive integer.")
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


# --- endpoints ------------------------------------------------------------------------------------------------------


def get_node(world: World, call: Call, parts: dict[str, str]) -> Answer:
    """GET /vN/{act_… | campaign | report run}."""
    parameters = _authorize(world, call, parts["version"])
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
                fields = _fields(parameters, CAMPAIGN_FIELDS, ("id",))
                return Answer(_render_campaign(account, campaign, fields, call.now), headers=usage_headers(account.id))
    account = _account(world, node)
    fields = _fields(parameters, ACCOUNT_FIELDS, ("account_id", "id"))
    return Answer(_render_account(account, fields, call.now), headers=usage_headers(account.id))


def list_accounts(world: World, call: Call, parts: dict[str, str]) -> Answer:
    """GET /vN/me/adaccounts."""
    parameters = _authorize(world, call, parts["version"])
    fields = _fields(parameters, ACCOUNT_FIELDS, ("account_id", "id"))
    rows = [_render_account(account, fields, call.now) for account in world.scenario.accounts(VENDOR)]
    return _page(world, call, parameters, rows, "0")


def list_campaigns(world: World, call: Call, parts: dict[str, str]) -> Answer:
    """GET /vN/act_…/campaigns."""
    parameters = _authorize(world, call, parts["version"])
    account = _account(world, parts["node"])
    fields = _fields(parameters, CAMPAIGN_FIELDS, ("id",))
    wanted = _json_parameter(parameters, "effective_status")
    rows = [
        _render_campaign(account, campaign, fields, call.now)
        for campaign in account.campaigns
        if campaign.is_listed(call.now) and (not wanted or campaign.status_at(call.now) in wanted)
    ]
    return _page(world, call, parameters, rows, account.id)


def read_insights(world: World, call: Call, parts: dict[str, str]) -> Answer:
    """GET /vN/act_…/insights, or the pages of a finished report run."""
    parameters = _authorize(world, call, parts["version"])
    run = world.cursors.get(f"run {parts['node']}")
    if run is not None:
        if run["polls"] <= world.settings.report_polls:
            raise Refusal(error("(#2601) Loading Async Report Insights data is not ready", 2601, subcode=1815107))
        return _page(world, call, parameters, run["rows"], run["account"].id)
    if parts["node"].isdigit():
        for account in world.scenario.accounts(VENDOR):
            for campaign in account.campaigns:
                if campaign.id == parts["node"]:
                    rows = _insights(account, [campaign], {"level": "campaign", **parameters}, call.now)
                    return _page(world, call, parameters, rows, account.id)
    account = _account(world, parts["node"])
    rows = _insights(account, account.campaigns, parameters, call.now)
    return _page(world, call, parameters, rows, account.id)


def start_report(world: World, call: Call, parts: dict[str, str]) -> Answer:
    """POST /vN/act_…/insights: a report run that is polled and read later."""
    parameters = _authorize(world, call, parts["version"])
    account = _account(world, parts["node"])
    rows = _insights(account, account.campaigns, parameters, call.now)
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


# --- what faults need to know ---------------------------------------------------------------------------------------


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
    given = _json_parameter(_parameters(call), "time_range")
    if not given:
        return 30
    return (date.fromisoformat(given["until"]) - date.fromisoformat(given["since"])).days + 1
