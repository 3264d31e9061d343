"""The rows that a query of Google Ads yields."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from sandbox.ad_accounts import AdAccount, Figures
from sandbox.clock import day_of
from sandbox.exchange import World
from sandbox.google_ads.access import invalid
from sandbox.google_ads.gaql import EVERY_FIELD, NUMERIC_FIELDS, Query, Row, camel, parse

MONTHS_OF_DAILY_DATA = 37


def _first_daily_day(today: date) -> date:
    months = today.year * 12 + today.month - 1 - MONTHS_OF_DAILY_DATA
    return date(months // 12, months % 12 + 1, 1)


def _rows(world: World, account: AdAccount, query: Query, now: int) -> Iterator[Row]:
    today = day_of(now, account.time_zone)
    if query.resource == "conversion_action":
        for action in world.scenario.conversion_actions:
            yield Row(account, now, action=action)
        return
    campaigns = account.campaigns
    if query.wants_days and query.from_day and query.to_day:
        if query.from_day < _first_daily_day(today):
            raise invalid(
                "dateRangeError",
                "REQUESTED_DATE_GRANULARITY_NOT_SUPPORTED",
                f"Daily data is kept for {MONTHS_OF_DAILY_DATA} months; {query.from_day} is too old.",
            )
        day = query.from_day
        while day <= min(query.to_day, today):
            if query.resource == "customer":
                if total := _sum([account.report(campaign, day, now) for campaign in campaigns]):
                    yield Row(account, now, day=day, figures=total)
            else:
                for campaign in campaigns:
                    if figures := account.report(campaign, day, now):
                        yield Row(account, now, campaign, day, figures)
            day += timedelta(1)
        return
    if query.wants_metrics:
        last = query.to_day or today
        for group in [campaigns] if query.resource == "customer" else [[campaign] for campaign in campaigns]:
            first = query.from_day or min((campaign.first_day for campaign in group), default=today)
            days = [first + timedelta(n) for n in range((min(last, today) - first).days + 1)]
            if total := _sum([account.report(campaign, day, now) for campaign in group for day in days]):
                yield Row(account, now, None if query.resource == "customer" else group[0], figures=total)
        return
    if query.resource == "customer":
        yield Row(account, now)
        return
    for campaign in campaigns:
        if campaign.is_listed(now):
            yield Row(account, now, campaign)


def _sum(parts: list[Figures | None]) -> Figures | None:
    shown = [part for part in parts if part]
    if not shown:
        return None
    return Figures(
        sum(part.spend_cents for part in shown),
        sum(part.impressions for part in shown),
        sum(part.clicks for part in shown),
        sum(part.conversions for part in shown),
        sum(part.conversions_value for part in shown),
    )


def _render(row: Row, query: Query) -> dict[str, Any]:
    names = list(query.fields)
    # Resource names are returned without being requested, for each resource of a query.
    for resource in ("customer", "campaign", "conversion_action"):
        if any(name.startswith(f"{resource}.") for name in names) or resource == query.resource:
            names.append(f"{resource}.resource_name")
    rendered: dict[str, Any] = {}
    for name in names:
        resource, _, leaf = name.partition(".")
        value = EVERY_FIELD[name](row)
        if value is not None:
            rendered.setdefault(camel(resource), {})[camel(leaf)] = value
    return rendered


def run(world: World, account: AdAccount, text: str, now: int) -> tuple[Query, list[dict[str, Any]]]:
    """All rows a query yields, rendered."""
    query = parse(text, day_of(now, account.time_zone))
    rows = [row for row in _rows(world, account, query, now) if all(holds(row) for holds in query.conditions)]
    for name, descending in reversed(query.order):
        read = EVERY_FIELD[name]
        rows.sort(key=lambda row: float(read(row)) if name in NUMERIC_FIELDS else read(row), reverse=descending)
    return query, [_render(row, query) for row in rows[: query.limit]]
