"""The advertising of `company`: four accounts, twenty-four campaigns, and what every day costs and brings.

Figures of a day come from the seed, the campaign and the day alone, so any day can be asked for at any time.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from sandbox.ads import AdAccount, Campaign, Figures, Platform, Settling
from sandbox.clock import HOUR, day_start

AD_HISTORY_DAYS = 120


@dataclass(frozen=True)
class Plan:
    """One campaign as marketing planned it; days count from the anchor.

    `leads_per_100_clicks` of zero is a campaign that spends and never converts. `ghost` campaigns get rows that the
    platform takes back two days later.
    """

    name: str
    kind: str
    clicks: int
    cents_per_click: int
    leads_per_100_clicks: float
    starts: int = -AD_HISTORY_DAYS
    pauses: int | None = None
    renamed: tuple[int, str] | None = None
    ghost: bool = False


@dataclass(frozen=True)
class Cast:
    """An ad account with its campaigns and how its visitors are tagged."""

    platform: Platform
    id: str
    name: str
    currency: str
    time_zone: str
    utm: tuple[tuple[str, str], ...]
    plans: tuple[Plan, ...]


GOOGLE_UTM = (("google", "cpc"),)
META_UTM = (("facebook", "paid_social"), ("instagram", "paid_social"))

CASTS = (
    Cast(
        "google_ads",
        "4155550101",
        "Example GmbH",
        "EUR",
        "Europe/Berlin",
        GOOGLE_UTM,
        (
            Plan("Brand DE", "SEARCH", 70, 90, 4.2),
            Plan("Generic DE", "SEARCH", 95, 210, 2.1, renamed=(-45, "Generic DACH")),
            Plan("Competitors DE", "SEARCH", 40, 320, 1.4),
            Plan("Product Demo DE", "SEARCH", 55, 260, 3.0),
            Plan("Pricing DE", "SEARCH", 35, 240, 2.6, starts=-60, pauses=-15),
            Plan("Retargeting EU", "DISPLAY", 80, 60, 0.9),
            Plan("Awareness EU", "DISPLAY", 120, 45, 0.0),
        ),
    ),
    Cast(
        "google_ads",
        "4155550102",
        "Example Ltd",
        "GBP",
        "Europe/London",
        GOOGLE_UTM,
        (
            Plan("Brand UK", "SEARCH", 45, 80, 4.0),
            Plan("Generic UK", "SEARCH", 75, 190, 1.9),
            Plan("Integrations UK", "SEARCH", 30, 230, 2.4),
            Plan("Analytics UK", "SEARCH", 40, 250, 2.2, renamed=(12, "Funnel Analytics UK")),
            Plan("Webinar Push UK", "DISPLAY", 60, 50, 1.1, starts=-75),
            Plan("Students UK", "SEARCH", 25, 110, 0.0),
        ),
    ),
    Cast(
        "meta_ads",
        "331122334455661",
        "Example Inc",
        "USD",
        "America/New_York",
        META_UTM,
        (
            Plan("Lookalike US", "OUTCOME_LEADS", 110, 130, 1.8, renamed=(-20, "Lookalike US 2%")),
            Plan("Founders US", "OUTCOME_LEADS", 70, 170, 2.0),
            Plan("Retargeting US", "OUTCOME_SALES", 65, 95, 2.3),
            Plan("Video Views US", "OUTCOME_AWARENESS", 140, 40, 0.0),
            Plan("Brazil Launch", "OUTCOME_LEADS", 50, 70, 1.5, starts=-50),
            Plan("Creative Test US", "OUTCOME_LEADS", 15, 120, 0.8, ghost=True),
        ),
    ),
    Cast(
        "meta_ads",
        "331122334455662",
        "Example GmbH Social",
        "EUR",
        "Europe/Berlin",
        META_UTM,
        (
            Plan("Lookalike EU", "OUTCOME_LEADS", 90, 120, 1.7),
            Plan("Whitepaper EU", "OUTCOME_LEADS", 60, 140, 2.2),
            Plan("Retargeting EU Social", "OUTCOME_SALES", 50, 85, 2.1),
            Plan("APAC Test", "OUTCOME_TRAFFIC", 45, 60, 0.7, starts=-40, pauses=20),
            Plan("Hiring EU", "OUTCOME_TRAFFIC", 30, 75, 0.0),
        ),
    ),
)


@dataclass(frozen=True)
class Source:
    """Where a lead may come from: one campaign with its tags and its pull."""

    platform: Platform
    campaign: Campaign
    plan: Plan
    utm: tuple[tuple[str, str], ...]
    channel: str
    figures: Callable[[date], Settling | None]
    currency: str


def advertise(seed: int, anchor: date) -> tuple[list[AdAccount], list[Source]]:
    """The accounts as the platforms show them, and every campaign as a source of leads."""
    accounts, sources = [], []
    number = 0
    for cast in CASTS:
        account = AdAccount(cast.platform, cast.id, cast.name, cast.currency, cast.time_zone)
        for plan in cast.plans:
            number += 1
            figures = _figures(seed, number, plan, cast, anchor)
            campaign = _campaign(cast, plan, number, anchor, figures)
            account.campaigns.append(campaign)
            display = plan.kind == "DISPLAY"
            channel = "Display" if display else "Paid Search" if cast.platform == "google_ads" else "Paid Social"
            utm = (("google", "display"),) if display else cast.utm
            sources.append(Source(cast.platform, campaign, plan, utm, channel, figures, cast.currency))
        accounts.append(account)
    return accounts, sources


def _campaign(
    cast: Cast, plan: Plan, number: int, anchor: date, figures: Callable[[date], Settling | None]
) -> Campaign:
    google = cast.platform == "google_ads"
    first = anchor + timedelta(plan.starts)
    born = day_start(first, cast.time_zone)
    names = [(born, plan.name)]
    if plan.renamed:
        days, name = plan.renamed
        names.append((day_start(anchor + timedelta(days)) + 9 * HOUR, name))
    statuses = [(born, "ENABLED" if google else "ACTIVE")]
    if plan.pauses is not None:
        statuses.append((day_start(anchor + timedelta(plan.pauses), cast.time_zone), "PAUSED"))
    return Campaign(
        id=str(21_000_000_000 + number * 1_111 if google else 120_210_000_000_000_000 + number * 7_777),
        names=names,
        statuses=statuses,
        kind=plan.kind,
        first_day=first,
        figures=figures,
    )


def _figures(seed: int, number: int, plan: Plan, cast: Cast, anchor: date) -> Callable[[date], Settling | None]:
    known: dict[date, Settling | None] = {}
    first = anchor + timedelta(plan.starts)
    last = anchor + timedelta(plan.pauses - 1) if plan.pauses is not None else None

    def figures(day: date) -> Settling | None:
        if day < first or (last is not None and day > last):
            return None
        if day not in known:
            known[day] = _decide(random.Random((seed * 1_009 + number) * 1_000_003 + day.toordinal()), plan, cast, day)
        return known[day]

    return figures


def _decide(rng: random.Random, plan: Plan, cast: Cast, day: date) -> Settling | None:
    """The final figures of one campaign and day."""
    pace = 0.55 if day.weekday() >= 5 and cast.platform == "google_ads" else 0.85 if day.weekday() >= 5 else 1.0
    clicks = int(plan.clicks * pace * rng.lognormvariate(0, 0.22))
    if rng.random() < 0.01:
        return None
    final = Figures(
        spend_cents=int(clicks * plan.cents_per_click * rng.uniform(0.88, 1.14)),
        impressions=int(clicks * rng.uniform(22, 48)),
        clicks=clicks,
        conversions=float(int(clicks * plan.leads_per_100_clicks * rng.uniform(0.8, 1.5) / 100)),
        conversions_value=0.0,
    )
    final = Figures(final.spend_cents, final.impressions, final.clicks, final.conversions, final.conversions * 45.0)
    taken_back = 2 if plan.ghost and rng.random() < 0.25 else None
    lag = 30 if cast.platform == "google_ads" else 28
    return Settling(day_start(day, cast.time_zone), final, lag, taken_back)
