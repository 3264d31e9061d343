"""Visits to the web sites of the company: properties, and the origins of each day's sessions.

Figures of a day depend only on the seed, the property and the day. Paid sessions are a share of the clicks that the
campaigns of `sandbox.advertising` had that day. A visit also has its real origin (`channel`, `came_from`), which is
never served.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import lru_cache

from sandbox.advertising import Source
from sandbox.clock import DAY, day_start

NOT_SET = "(not set)"
OTHER = "(other)"
VISIT_HISTORY_DAYS = 120


@dataclass(slots=True, frozen=True)
class Visit:
    """Sessions of one day that share everything an analytics tool shows of them."""

    group: str
    source: str
    medium: str
    campaign_id: str
    campaign_name: str
    country: str
    sessions: int
    engaged: int
    users: int
    key_events: int
    channel: str = "Unknown"
    came_from: str | None = None


@dataclass(slots=True, frozen=True)
class Report:
    """A property's report of one day: its rows, and what it withholds."""

    visits: tuple[Visit, ...]
    is_thresholded: bool = False
    has_other_row: bool = False


@dataclass
class Property:
    """One GA4 property; its days begin and end in its own time zone."""

    id: str
    name: str
    currency: str
    time_zone: str
    visits: Callable[[date], tuple[Visit, ...]] = field(default=lambda day: ())
    is_thresholded: Callable[[date], bool] = field(default=lambda day: False)
    has_other_row: Callable[[date], bool] = field(default=lambda day: False)

    def report(self, day: date, now: int) -> Report:
        """The report of a day at a moment. Sessions settle in two days, the credit of key events in twelve."""
        starts = day_start(day, self.time_zone)
        if starts >= now:
            return Report(())
        age = (now - starts) / DAY
        seen = age * 0.9 if age < 1 else 0.97 if age < 2 else 1.0
        credited = 1.0 if age >= 12 else 1.0 - math.exp(-age / 3)
        shown = [
            replace(
                visit,
                sessions=int(visit.sessions * seen),
                engaged=int(visit.engaged * seen),
                users=int(visit.users * seen),
                key_events=int(visit.key_events * credited),
            )
            for visit in self.visits(day)
        ]
        visits = [visit for visit in shown if visit.sessions]
        is_thresholded, has_other_row = self.is_thresholded(day), self.has_other_row(day)
        if is_thresholded:
            visits = [visit for visit in visits if visit.users >= 3]
        if has_other_row:
            small = [visit for visit in visits if visit.sessions < 4]
            visits = [visit for visit in visits if visit.sessions >= 4]
            if small:
                visits.append(_together(small))
        return Report(tuple(visits), is_thresholded, has_other_row)


def _together(visits: Iterable[Visit]) -> Visit:
    """Combine the rows beyond the limit of distinct values in one row `(other)`."""
    visits = list(visits)
    return Visit(
        *(OTHER,) * 6,
        sum(one.sessions for one in visits),
        sum(one.engaged for one in visits),
        sum(one.users for one in visits),
        sum(one.key_events for one in visits),
    )


# --- the sites of `company` -----------------------------------------------------------------------------------------

EU_COUNTRIES = (("DE", 50), ("FR", 18), ("NL", 12), ("ES", 12), (NOT_SET, 8))
UK_COUNTRIES = (("GB", 88), ("IE", 12))
US_COUNTRIES = (("US", 74), ("CA", 10), ("BR", 16))
WORLD = (("DE", 30), ("GB", 20), ("FR", 14), ("JP", 8), ("AU", 6), ("SG", 4), (NOT_SET, 18))
AMERICAS = (("US", 70), ("CA", 15), ("BR", 15))
SHARES_BY_CURRENCY = {"EUR": EU_COUNTRIES, "GBP": UK_COUNTRIES, "USD": US_COUNTRIES}


@dataclass(frozen=True)
class Habit:
    """Visits without payment: how GA4 shows them, how many a day, and the channel they belong to."""

    group: str
    source: str
    medium: str
    campaign_name: str
    sessions: int
    channel: str


HABITS = (
    Habit("Organic Search", "google", "organic", "(organic)", 210, "Organic Search"),
    Habit("Organic Search", "bing", "organic", "(organic)", 30, "Organic Search"),
    Habit("Direct", "(direct)", "(none)", "(direct)", 160, "Direct"),
    Habit("Email", "newsletter", "email", "monthly-news", 45, "Email"),
    Habit("Referral", "blog.partner-site.example", "referral", "(referral)", 35, "Referral"),
    Habit("Organic Social", "linkedin", "social", "page-post", 28, "Organic Social"),
    # GA4 has no group for these; the channel rules contain the first.
    Habit("Unassigned", "reviews.example", "syndication", "comparison", 12, "Content Syndication"),
    Habit("Unassigned", NOT_SET, NOT_SET, NOT_SET, 9, "Unknown"),
)


def open_sites(seed: int, anchor: date, sources: list[Source]) -> list[Property]:
    """The two sites: the dollar account advertises the American one, all other accounts the European one."""
    american = [one for one in sources if one.currency == "USD"]
    others = [one for one in sources if one.currency != "USD"]
    return [
        _site("310000001", "company.example", "EUR", "Europe/Berlin", seed, anchor, others, WORLD, 1.0),
        _site("310000002", "us.company.example", "USD", "America/New_York", seed, anchor, american, AMERICAS, 0.6),
    ]


def _site(
    number: str,
    name: str,
    currency: str,
    zone: str,
    seed: int,
    anchor: date,
    sources: list[Source],
    countries: tuple[tuple[str, int], ...],
    scale: float,
) -> Property:
    first = anchor - timedelta(VISIT_HISTORY_DAYS)

    @lru_cache(maxsize=4_096)
    def visits(day: date) -> tuple[Visit, ...]:
        if day < first:
            return ()
        rng = random.Random(f"{seed} {number} {day}")
        found = [visit for source in sources for visit in _paid(rng, source, day)]
        weekend = 0.5 if day.weekday() >= 5 else 1.0
        for habit in HABITS:
            amount = int(habit.sessions * scale * weekend * rng.lognormvariate(0, 0.15))
            found += [
                _visit(rng, share, country, 0.012, Visit(
                    habit.group, habit.source, habit.medium, NOT_SET, habit.campaign_name, "", 0, 0, 0, 0,
                    habit.channel,
                ))
                for country, share in _split(amount, countries)
            ]  # fmt: skip
        return tuple(found)

    # Sums of the day's number: no two of them occur on the same days.
    return Property(
        number,
        name,
        currency,
        zone,
        visits,
        is_thresholded=lambda day: day.toordinal() % 9 == int(number) % 9,
        has_other_row=lambda day: day.toordinal() % 11 == int(number) % 11,
    )


def _paid(rng: random.Random, source: Source, day: date) -> list[Visit]:
    """Some clicks never load the page: fewer sessions than clicks, of the same campaign."""
    figures = source.figures(day)
    if figures is None or source.plan.ghost:
        return []
    clicks = figures.final.clicks
    google = source.platform == "google_ads"
    slug = source.plan.name.lower().replace(" ", "-")
    tags = source.utm[:2]
    found = []
    for number, (utm_source, medium) in enumerate(tags):
        share = 1.0 if len(tags) == 1 else (0.7, 0.3)[number]
        sessions = int(clicks * share * rng.uniform(0.74, 0.94))
        came_from: str | None = source.campaign.id
        if google:
            # Auto-tagged: Google has its campaign by id and by the name of that evening.
            campaign_id, name = source.campaign.id, source.campaign.name_at(day_start(day) + DAY)
        elif source.plan.name == "Retargeting EU Social":
            campaign_id, name = NOT_SET, source.plan.name
        elif source.plan.name == "Hiring EU \U0001f680":
            campaign_id, name, came_from = NOT_SET, slug, None
        else:
            campaign_id, name = source.campaign.id, slug
        shown = Visit(source.channel, utm_source, medium, campaign_id, name, "", 0, 0, 0, 0, source.channel, came_from)
        rate = source.plan.leads_per_100_clicks / 100
        countries = SHARES_BY_CURRENCY[source.currency]
        found += [_visit(rng, amount, country, rate, shown) for country, amount in _split(sessions, countries)]
    return found


def _split(amount: int, countries: tuple[tuple[str, int], ...]) -> list[tuple[str, int]]:
    """Whole parts that add up to the amount; parts of zero are left out."""
    parts, begun, weight, total = [], 0, 0, sum(share for _, share in countries)
    for country, share in countries:
        weight += share
        until = amount * weight // total
        if until > begun:
            parts.append((country, until - begun))
        begun = until
    return parts


def _visit(rng: random.Random, sessions: int, country: str, rate: float, shown: Visit) -> Visit:
    return replace(
        shown,
        country=country,
        sessions=sessions,
        engaged=int(sessions * rng.uniform(0.4, 0.75)),
        users=max(1, int(sessions * rng.uniform(0.8, 1.0))),
        key_events=sum(rng.random() < rate for _ in range(sessions)),
    )
