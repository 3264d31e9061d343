"""Ad accounts and campaigns of Meta in the format of its answers."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from sandbox.ad_accounts import AdAccount, Campaign
from sandbox.clock import instant

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


def render_account(account: AdAccount, fields: list[str], now: int) -> dict[str, Any]:
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


def render_campaign(account: AdAccount, campaign: Campaign, fields: list[str], now: int) -> dict[str, Any]:
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
