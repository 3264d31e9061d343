"""Ad accounts and campaigns of LinkedIn."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from sandbox.ad_accounts import AdAccount, Campaign
from sandbox.exchange import Answer, Call, World, decode_cursor, encode_cursor
from sandbox.linkedin_ads.access import VENDOR, account_of, authorize, illegal, read_value

LARGEST_PAGE = 1_000
# fmt: on
CAMPAIGN_STATUSES = ("ACTIVE", "PAUSED", "ARCHIVED", "COMPLETED", "CANCELED", "DRAFT", "PENDING_DELETION", "REMOVED")


def _chosen(parameters: dict[str, str], rendered: dict[str, Any], known: tuple[str, ...]) -> dict[str, Any]:
    """Only the fields that `fields` names; all without it."""
    if "fields" not in parameters:
        return rendered
    names = unquote(parameters["fields"]).split(",")
    for name in names:
        if name not in known:
            raise illegal(f"Field '{name}' is not a field of this entity")
    return {name: rendered[name] for name in names if name in rendered}


ACCOUNT_FIELDS = ("id", "name", "currency", "status", "type", "test", "reference", "version", "changeAuditStamps",
                  "servingStatuses", "notifiedOnCampaignOptimization", "notifiedOnCreativeApproval")  # fmt: skip
CAMPAIGN_FIELDS = ("id", "account", "name", "status", "type", "objectiveType", "costType", "campaignGroup", "format",
                   "creativeSelection", "dailyBudget", "unitCost", "runSchedule", "locale", "version",
                   "changeAuditStamps", "test", "servingStatuses")  # fmt: skip


def _render_account(account: AdAccount) -> dict[str, Any]:
    # LinkedIn's accounts have no time zone: all days are UTC.
    return {
        "id": int(account.id),
        "name": account.name,
        "currency": account.currency,
        "status": "ACTIVE",
        "type": "BUSINESS",
        "test": False,
        "reference": "urn:li:organization:4242",
        "version": {"versionTag": "3"},
        "servingStatuses": ["RUNNABLE"],
        "notifiedOnCampaignOptimization": True,
        "notifiedOnCreativeApproval": False,
        "changeAuditStamps": {"created": {"time": 1_577_836_800_000}, "lastModified": {"time": 1_704_067_200_000}},
    }


def _render_campaign(account: AdAccount, campaign: Campaign, now: int) -> dict[str, Any]:
    modified = max(at for at, _ in [*campaign.names, *campaign.statuses] if at <= now)
    created = campaign.names[0][0]
    return {
        "id": int(campaign.id),
        "account": f"urn:li:sponsoredAccount:{account.id}",
        "name": campaign.name_at(now),
        "status": campaign.status_at(now),
        "type": campaign.kind,
        "objectiveType": "LEAD_GENERATION",
        "costType": "CPC",
        "campaignGroup": f"urn:li:sponsoredCampaignGroup:{account.id}9",
        "creativeSelection": "OPTIMIZED",
        "dailyBudget": {"amount": "250", "currencyCode": account.currency},
        "unitCost": {"amount": "8.5", "currencyCode": account.currency},
        "runSchedule": {"start": created},
        "locale": {"country": "US", "language": "en"},
        "version": {"versionTag": str(1 + sum(at <= now for at, _ in campaign.names))},
        "servingStatuses": ["RUNNABLE"],
        "test": False,
        "changeAuditStamps": {"created": {"time": created}, "lastModified": {"time": modified}},
    }


def _page(world: World, parameters: dict[str, str], rows: list[dict[str, Any]]) -> Answer:
    try:
        size = int(parameters.get("pageSize", 100))
        start = decode_cursor(unquote(parameters["pageToken"]))[0] if "pageToken" in parameters else 0
    except ValueError:
        raise illegal("Invalid pageToken or pageSize") from None
    if not 1 <= size <= LARGEST_PAGE:
        raise illegal(f"pageSize must be between 1 and {LARGEST_PAGE}")
    metadata = {"nextPageToken": encode_cursor(start + size)} if start + size < len(rows) else {}
    return Answer({"elements": rows[start : start + size], "metadata": metadata})


def list_accounts(world: World, call: Call, _: dict[str, str]) -> Answer:
    """GET /rest/adAccounts?q=search."""
    parameters = authorize(world, call)
    if parameters.get("q") != "search":
        raise illegal("No such finder; adAccounts has q=search")
    rows = [
        _chosen(parameters, _render_account(account), ACCOUNT_FIELDS) for account in world.scenario.accounts(VENDOR)
    ]
    return _page(world, parameters, rows)


def get_account(world: World, call: Call, parts: dict[str, str]) -> Answer:
    """GET /rest/adAccounts/{id}."""
    parameters = authorize(world, call)
    return Answer(_chosen(parameters, _render_account(account_of(world, parts["account"])), ACCOUNT_FIELDS))


def list_campaigns(world: World, call: Call, parts: dict[str, str]) -> Answer:
    """GET /rest/adAccounts/{id}/adCampaigns?q=search."""
    parameters = authorize(world, call)
    account = account_of(world, parts["account"])
    if parameters.get("q") != "search":
        raise illegal("No such finder; adCampaigns has q=search")
    search = read_value(parameters["search"]) if "search" in parameters else {}
    wanted = search.get("status", {}).get("values") if isinstance(search, dict) else None
    for status in wanted or ():
        if status not in CAMPAIGN_STATUSES:
            raise illegal(f"Invalid value for status: {status}")
    rows = [
        _chosen(parameters, _render_campaign(account, campaign, call.now), CAMPAIGN_FIELDS)
        for campaign in account.campaigns
        if campaign.is_listed(call.now) and (wanted is None or campaign.status_at(call.now) in wanted)
    ]
    return _page(world, parameters, rows)
