"""The statistics of Meta's campaigns."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import orjson

from sandbox.ad_accounts import AdAccount, Campaign, Figures
from sandbox.clock import day_of
from sandbox.exchange import Refusal
from sandbox.meta_ads.access import error, fields_of, invalid

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


@dataclass(frozen=True)
class Question:
    """What is asked of one account, and when."""

    account: AdAccount
    fields: list[str]
    windows: list[str]
    now: int


def _render_insight(
    asked: Question, campaign: Campaign | None, figures: Figures, first: date, last: date
) -> dict[str, Any]:
    account = asked.account
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
    if actions := _actions(figures.conversions, asked.windows):
        values["actions"] = actions
        values["action_values"] = [
            {"action_type": "lead", "value": _money(round(figures.conversions_value * 100))},
        ]
    if campaign is not None:
        values |= {
            "campaign_id": campaign.id,
            "campaign_name": campaign.name_at(asked.now),
            "objective": campaign.kind,
        }
    rendered = {name: values[name] for name in asked.fields if name in values}
    rendered["date_start"] = first.isoformat()
    rendered["date_stop"] = last.isoformat()
    return rendered


def json_parameter(parameters: dict[str, str], name: str) -> Any:
    if name not in parameters:
        return None
    try:
        return orjson.loads(parameters[name])
    except ValueError:
        raise invalid(f"Param {name} must be valid JSON.") from None


def _range(parameters: dict[str, str], today: date) -> tuple[date, date]:
    given = json_parameter(parameters, "time_range")
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
            raise invalid(f"date_preset must be one of the following values: {', '.join(presets)}")
        return presets[preset]
    try:
        since, until = date.fromisoformat(given["since"]), date.fromisoformat(given["until"])
    except (KeyError, TypeError, ValueError):
        raise invalid("Must be a date representation in the format YYYY-MM-DD") from None
    if since > until:
        raise invalid("time_range 'since' must not be after 'until'.")
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


def insights(
    account: AdAccount, campaigns: list[Campaign], parameters: dict[str, str], now: int
) -> list[dict[str, Any]]:
    fields = fields_of(parameters, INSIGHT_FIELDS, ("impressions", "spend"))
    level = parameters.get("level", "account")
    if level not in ("account", "campaign"):
        raise invalid("level must be one of the following values: campaign, account")
    windows = json_parameter(parameters, "action_attribution_windows") or []
    for window in windows:
        if window in GONE_WINDOWS or window not in WINDOWS:
            raise invalid(f"action_attribution_windows[0] must be one of the following values: {', '.join(WINDOWS)}")
    today = day_of(now, account.time_zone)
    since, until = _range(parameters, today)
    increment = parameters.get("time_increment", "all_days")
    if increment not in ("1", "all_days"):
        raise invalid("time_increment must be 1 or all_days here")
    last = min(until, today)
    days = [since + timedelta(n) for n in range((last - since).days + 1)]
    spans = [(day, day) for day in days] if increment == "1" else [(since, until)]
    groups: list[tuple[Campaign | None, list[Campaign]]] = (
        [(None, campaigns)] if level == "account" else [(campaign, [campaign]) for campaign in campaigns]
    )
    asked = Question(account, fields, windows, now)
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
                rows.append(_render_insight(asked, campaign, total, first, final))
    return rows
