"""The advertising of `company`: the ad accounts and campaigns of every platform, what each day costs and brings.

Figures of a day come from the seed, the campaign and the day alone, so any day can be asked for at any time.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from sandbox.ad_accounts import AdAccount, Campaign, Figures, Platform, Settling
from sandbox.clock import HOUR, day_start

AD_HISTORY_DAYS = 120
CLOSING_HOUR = 9 * HOUR


@dataclass(frozen=True)
class Plan:
    """One campaign as marketing planned it; days count from the anchor.

    A campaign with `leads_per_100_clicks` of 0 spends and never converts. The rows of `ghost` campaigns are retracted
    by the platform two days later.
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
class Habits:
    """The properties of a platform: the channel of its clicks and HubSpot's word for them, the status of a running
    campaign, its first campaign id and the distance of ids, the share of clicks at weekends, days until figures settle.
    """

    channel: str
    analytics: str
    running: str
    first_id: int
    id_step: int
    weekend: float
    lag_days: int


HABITS: dict[Platform, Habits] = {
    "google_ads": Habits("Paid Search", "PAID_SEARCH", "ENABLED", 21_000_000_000, 1_111, 0.55, 30),
    "meta_ads": Habits("Paid Social", "PAID_SOCIAL", "ACTIVE", 120_210_000_000_000_000, 7_777, 0.85, 28),
    "linkedin_ads": Habits("Paid Social", "PAID_SOCIAL", "ACTIVE", 400_000_000, 3_333, 0.40, 30),
    "microsoft_ads": Habits("Paid Search", "PAID_SEARCH", "Active", 600_000_000, 2_222, 0.60, 30),
}


@dataclass(frozen=True)
class Cast:
    """An ad account with its campaigns and the tags of its visitors. `closes` is a day, counted from the anchor."""

    platform: Platform
    id: str
    name: str
    currency: str
    time_zone: str
    utm: tuple[tuple[str, str], ...]
    plans: tuple[Plan, ...]
    closes: int | None = None


GOOGLE_UTM = (("google", "cpc"),)
META_UTM = (("facebook", "paid_social"), ("instagram", "paid_social"))
MICROSOFT_UTM = (("bing", "cpc"),)
LINKEDIN_UTM = (("linkedin", "paid_social"),)

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
            Plan("Students UK \U0001f393", "SEARCH", 25, 110, 0.0),
        ),
        closes=17,
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
            Plan("Video Views US \ud83c", "OUTCOME_AWARENESS", 140, 40, 0.0),
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
            Plan("Hiring EU \U0001f680", "OUTCOME_TRAFFIC", 30, 75, 0.0),
        ),
    ),
    Cast(
        "linkedin_ads",
        "512340001",
        "Example Inc LinkedIn",
        "USD",
        "UTC",
        LINKEDIN_UTM,
        (
            Plan("CFOs US", "SPONSORED_UPDATES", 16, 820, 4.5),
            Plan("RevOps US", "SPONSORED_UPDATES", 22, 760, 5.0, renamed=(-25, "RevOps Leaders US")),
            Plan("Benchmark Report US", "SPONSORED_UPDATES", 30, 540, 3.6),
            Plan("Conversation Ads US", "SPONSORED_INMAILS", 9, 910, 3.0, starts=-55, pauses=-8),
            Plan("Text Ads US", "TEXT_AD", 25, 310, 0.8),
            Plan("Employer Brand US \ud83d", "SPONSORED_UPDATES", 14, 480, 0.0),
        ),
    ),
    Cast(
        "linkedin_ads",
        "512340002",
        "Example Ltd LinkedIn",
        "GBP",
        "UTC",
        LINKEDIN_UTM,
        (
            Plan("CFOs UK", "SPONSORED_UPDATES", 12, 640, 4.2),
            Plan("RevOps UK", "SPONSORED_UPDATES", 15, 610, 4.6),
            Plan("Benchmark Report UK", "SPONSORED_UPDATES", 20, 450, 3.2),
            Plan("Retargeting UK LinkedIn", "SPONSORED_UPDATES", 11, 520, 4.0, starts=-70),
            Plan("Audience Network Test UK", "TEXT_AD", 8, 260, 0.6, ghost=True),
        ),
    ),
    Cast(
        "microsoft_ads",
        "180000001",
        "Example Inc Bing",
        "USD",
        "UTC",
        MICROSOFT_UTM,
        (
            Plan("Bing Brand US", "SEARCH", 24, 110, 3.9),
            Plan("Bing Generic US", "SEARCH", 38, 240, 1.9, renamed=(-18, "Bing Category US")),
            Plan("Bing Competitors US", "SEARCH", 18, 330, 1.5),
            Plan("Bing Integrations US", "SEARCH", 16, 250, 2.2, starts=-65),
            Plan("Bing Students US", "SEARCH", 12, 120, 0.0),
            Plan("Bing Pricing US", "SEARCH", 14, 260, 2.6, starts=-50, pauses=-12),
        ),
    ),
    Cast(
        "microsoft_ads",
        "180000002",
        "Example GmbH Bing",
        "EUR",
        "UTC",
        MICROSOFT_UTM,
        (
            Plan("Bing Brand DE", "SEARCH", 20, 85, 3.6),
            Plan("Bing Generic DE", "SEARCH", 28, 190, 1.8),
            Plan("Bing Demo DE", "SEARCH", 15, 230, 2.8),
            Plan("Bing Retargeting DE", "SEARCH", 17, 95, 1.6),
            Plan("Bing Partner Sites Test DE", "SEARCH", 32, 70, 0.7, ghost=True),
        ),
        closes=11,
    ),
)


@dataclass(frozen=True)
class Source:
    """A possible origin of a lead: one campaign with its tags and its weight."""

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
        if cast.closes is not None:
            account.closed_at = day_start(anchor + timedelta(cast.closes)) + CLOSING_HOUR
        for plan in cast.plans:
            number += 1
            figures = _figures(seed, number, plan, cast, anchor)
            campaign = _campaign(cast, plan, number, anchor, figures)
            account.campaigns.append(campaign)
            display = plan.kind == "DISPLAY"
            channel = "Display" if display else HABITS[cast.platform].channel
            utm = (("google", "display"),) if display else cast.utm
            sources.append(Source(cast.platform, campaign, plan, utm, channel, figures, cast.currency))
        accounts.append(account)
    return accounts, sources


def _campaign(
    cast: Cast, plan: Plan, number: int, anchor: date, figures: Callable[[date], Settling | None]
) -> Campaign:
    habits = HABITS[cast.platform]
    first = anchor + timedelta(plan.starts)
    born = day_start(first, cast.time_zone)
    names = [(born, plan.name)]
    if plan.renamed:
        days, name = plan.renamed
        names.append((day_start(anchor + timedelta(days)) + 9 * HOUR, name))
    statuses = [(born, habits.running)]
    if plan.pauses is not None:
        statuses.append((day_start(anchor + timedelta(plan.pauses), cast.time_zone), "PAUSED"))
    return Campaign(
        id=str(habits.first_id + number * habits.id_step),
        names=names,
        statuses=statuses,
        kind=plan.kind,
        first_day=first,
        figures=figures,
    )


def _figures(seed: int, number: int, plan: Plan, cast: Cast, anchor: date) -> Callable[[date], Settling | None]:
    known: dict[date, Settling | None] = {}
    first = anchor + timedelta(plan.starts)
    ends = [days for days in (plan.pauses, cast.closes) if days is not None]
    last = anchor + timedelta(min(ends) - 1) if ends else None

    def figures(day: date) -> Settling | None:
        if day < first or (last is not None and day > last):
            return None
        if day not in known:
            known[day] = _decide(random.Random((seed * 1_009 + number) * 1_000_003 + day.toordinal()), plan, cast, day)
        return known[day]

    return figures


def _decide(rng: random.Random, plan: Plan, cast: Cast, day: date) -> Settling | None:
    """The final figures of one campaign and day."""
    habits = HABITS[cast.platform]
    pace = habits.weekend if day.weekday() >= 5 else 1.0
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
    return Settling(day_start(day, cast.time_zone), final, habits.lag_days, taken_back)
