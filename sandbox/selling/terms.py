"""The terms of a deal, and its end."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, timedelta

from sandbox.clock import day_of, day_start
from sandbox.office import Firm, later
from sandbox.staff import Rep

STAGES = ("Qualification", "Needs Analysis", "Proposal/Price Quote", "Negotiation/Review")
PROBABILITY = {**dict(zip(STAGES, (10, 20, 60, 80), strict=True)), "Closed Won": 100, "Closed Lost": 0}
HUBSPOT_STAGE = {
    "Qualification": "appointmentscheduled",
    "Needs Analysis": "qualifiedtobuy",
    "Proposal/Price Quote": "presentationscheduled",
    "Negotiation/Review": "decisionmakerboughtin",
    "Closed Won": "closedwon",
    "Closed Lost": "closedlost",
}
LOST_REASONS = ("Price", "Competitor", "No budget", None)
TYPES = {
    "New Business": "new_business",
    "Existing Business": "expansion",
    "Upsell": "expansion",
    "Expansion": "expansion",
    "Renewal": "renewal",
}


@dataclass(frozen=True)
class Close:
    """How a deal ends: `entered` its last stage, which counts from `closed`; `won` None while it stays open."""

    won: bool | None
    entered: int | None = None
    closed: int | None = None
    deleted: int | None = None

    @property
    def day(self) -> date | None:
        """The day the rep gives as the close."""
        return None if self.closed is None else day_of(self.closed)


@dataclass
class Terms:
    """The terms of a deal that are fixed at its start."""

    kind: str
    firm: Firm | None
    rep: Rep
    lead_source: str | None = None
    person_id: str | None = None
    contact_id: str | None = None
    hubspot_contact_id: str | None = None
    win_share: float = 0.30
    open_share: float = 0.20
    days_to_close: float = 18.0


def haste(close: Close) -> int:
    """The additional discount before the end of a quarter: five per cent, ten in its last week."""
    day = close.day
    if not close.won or day is None:
        return 0
    months = day.year * 12 + (day.month - 1) // 3 * 3 + 3
    left = (date(months // 12, months % 12 + 1, 1) - day).days
    return 10 if left <= 7 else 5 if left <= 14 else 0


def decide_close(rng: random.Random, created: int, terms: Terms) -> Close:
    roll = rng.random()
    if terms.person_id and roll < 0.02:
        return Close(None, deleted=later(rng, created, 24, 240))
    if roll < terms.open_share:
        return Close(None)
    won = rng.random() < terms.win_share / (1 - terms.open_share)
    days = min(95.0, max(2.0, rng.lognormvariate(0, 0.6) * terms.days_to_close))
    entered = later(rng, created, days * 24, days * 24 + 8)
    backdated = day_of(entered) - timedelta(rng.randint(1, 3))
    if rng.random() < 0.08 and backdated > day_of(created):
        return Close(won, entered, day_start(backdated))
    return Close(won, entered, entered)
