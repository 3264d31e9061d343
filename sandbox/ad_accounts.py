"""Advertising as a platform reports it: accounts, campaigns whose names change, and figures that settle for weeks.

Money is in whole hundredths of the account's currency, so that nothing is rounded twice.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from sandbox.clock import DAY, day_of, day_start

Platform = Literal["google_ads", "meta_ads", "linkedin_ads", "microsoft_ads"]


@dataclass(slots=True, frozen=True)
class Figures:
    """What a platform reports for one campaign and day."""

    spend_cents: int
    impressions: int
    clicks: int
    conversions: float = 0.0
    conversions_value: float = 0.0

    @property
    def is_zero(self) -> bool:
        return not (self.spend_cents or self.impressions or self.clicks or self.conversions or self.conversions_value)


@dataclass(slots=True, frozen=True)
class Stated:
    """Figures given one by one, each with the moment from which it is reported; None means that the row is gone."""

    versions: tuple[tuple[int, Figures | None], ...]

    def at(self, now: int) -> Figures | None:
        shown: Figures | None = None
        for known_from, figures in self.versions:
            if known_from <= now:
                shown = figures
        return shown


@dataclass(slots=True, frozen=True)
class Settling:
    """Final figures that a platform reaches step by step.

    The running day grows with the clock; spend settles within three days; conversions are credited to the day of
    the click, so they keep arriving for `lag_days`.
    """

    starts: int
    final: Figures
    lag_days: int = 28
    vanishes_after_days: int | None = None

    def at(self, now: int) -> Figures | None:
        age = (now - self.starts) / DAY
        if age <= 0 or (self.vanishes_after_days is not None and age >= self.vanishes_after_days):
            return None
        if age >= self.lag_days:
            return self.final
        whole_days = int(age)
        spent = (age, 0.97, 0.995)[whole_days] if whole_days < 3 else 1.0
        seen = age if whole_days < 1 else 1.0
        credited = 0.0 if whole_days < 1 else 1.0 - math.exp(-whole_days / 6.0)
        return Figures(
            spend_cents=int(self.final.spend_cents * spent),
            impressions=int(self.final.impressions * seen),
            clicks=int(self.final.clicks * seen),
            conversions=math.floor(self.final.conversions * credited),
            conversions_value=math.floor(self.final.conversions * credited) * _value_per_conversion(self.final),
        )


def _value_per_conversion(final: Figures) -> float:
    return final.conversions_value / final.conversions if final.conversions else 0.0


@dataclass(slots=True)
class Campaign:
    """One campaign: names and statuses with the moment from which each is valid, figures by day on demand."""

    id: str
    names: list[tuple[int, str]]
    statuses: list[tuple[int, str]]
    kind: str
    first_day: date
    figures: Callable[[date], Stated | Settling | None]
    visible_until: int | None = None

    def name_at(self, now: int) -> str:
        return _current(self.names, now)

    def status_at(self, now: int) -> str:
        return _current(self.statuses, now)

    def is_listed(self, now: int) -> bool:
        return self.names[0][0] <= now and (self.visible_until is None or now < self.visible_until)


@dataclass(slots=True)
class AdAccount:
    """One advertising account; its days begin and end in its own time zone.

    The last day of a closed account is the one before its closing day; its figures stay as they were at the start of
    the closing day. From `closed_at` on the platform refuses it.
    """

    platform: Platform
    id: str
    name: str
    currency: str
    time_zone: str
    campaigns: list[Campaign] = field(default_factory=list)
    closed_at: int | None = None

    def is_closed(self, now: int) -> bool:
        return self.closed_at is not None and self.closed_at <= now

    def report(self, campaign: Campaign, day: date, now: int) -> Figures | None:
        """The platform's report at a moment for one campaign and day; rows of zeros do not exist."""
        if self.closed_at is not None:
            closing_day = day_of(self.closed_at, self.time_zone)
            if day >= closing_day:
                return None
            now = min(now, day_start(closing_day, self.time_zone))
        if day < campaign.first_day or day_start(day, self.time_zone) > now:
            return None
        figures = campaign.figures(day)
        shown = figures.at(now) if figures else None
        return None if shown is None or shown.is_zero else shown


def _current(versions: list[tuple[int, str]], now: int) -> str:
    value = versions[0][1]
    for valid_from, later in versions:
        if valid_from <= now:
            value = later
    return value
