"""The types of the truth: leads, opportunities, spend, visits, orders and people."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

RENEWAL = "renewal"


@dataclass(frozen=True)
class LeadCycle:
    """One cycle of one person; stages that were skipped are None."""

    person_id: str
    cycle_no: int
    created_at: datetime
    channel: str
    campaign_id: str | None
    region: str
    mql_at: datetime | None = None
    sal_at: datetime | None = None
    sql_at: datetime | None = None
    opportunity_at: datetime | None = None
    won_at: datetime | None = None
    lost_at: datetime | None = None
    disqualified_at: datetime | None = None
    recycled_at: datetime | None = None
    response_at: datetime | None = None
    ended_at: datetime | None = None
    owners: tuple[tuple[datetime, str], ...] = ()

    @property
    def first_response_at(self) -> datetime | None:
        """The first personal activity of sales: a call, mail or meeting, or accepting the lead."""
        acts = [at for at in (self.sal_at, self.response_at) if at is not None]
        return min(acts) if acts else None


@dataclass(frozen=True)
class Opportunity:
    """One opportunity, however many vendors hold a copy. `lead` is (person_id, cycle_no)."""

    opportunity_id: str
    source: str
    opportunity_type: str
    created_at: datetime
    closed_at: datetime | None
    status: str
    amount: Decimal
    currency: str
    list_amount: Decimal | None
    region: str
    lead: tuple[str, int] | None
    channel: str
    campaign_id: str | None

    @property
    def is_renewal(self) -> bool:
        return self.opportunity_type == RENEWAL


@dataclass(frozen=True)
class Money:
    """An amount in its own currency, and the day of its exchange rate."""

    rate_day: date
    currency: str
    amount: Decimal


@dataclass
class MonthCounts:
    """The activity of one month; renewals are left out, as the funnel does."""

    leads: int = 0
    mqls: int = 0
    sals: int = 0
    sqls: int = 0
    opportunities: int = 0
    won: int = 0
    lost: int = 0
    pipeline: list[Money] = field(default_factory=list)
    won_amounts: list[Money] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in ("leads", "mqls", "sals", "sqls", "opportunities", "won", "lost")}


@dataclass(frozen=True)
class SpendDay:
    """The cost of one campaign on one day of its account's zone, in the account's currency."""

    day: date
    platform: str
    ad_account_id: str
    campaign_id: str
    currency: str
    amount: Decimal
    impressions: int
    clicks: int


@dataclass(frozen=True)
class Order:
    """One order of the shop as known; `paid` is after discounts, `back` what was refunded and when."""

    order_id: str
    ordered_at: datetime
    currency: str
    paid: Decimal
    back: tuple[Money, ...]
    person_id: str | None
    opportunity_id: str | None
    channel: str
    campaign_id: str | None
    region: str
    is_counted: bool

    @property
    def is_revenue(self) -> bool:
        """False for an order that bills an opportunity: the opportunity is the revenue."""
        return self.is_counted and self.opportunity_id is None

    @property
    def net(self) -> Decimal:
        return self.paid - sum((one.amount for one in self.back), Decimal())


@dataclass(frozen=True)
class VisitDay:
    """Sessions of one property, day of its zone, channel, campaign and country, as far as they are known."""

    day: date
    property_id: str
    channel: str
    campaign_id: str | None
    country: str
    sessions: int
    engaged: int
    users: int
    key_events: int
    is_thresholded: bool


@dataclass(frozen=True)
class Human:
    """One person with the number of records that are that person, merged ones included."""

    person_id: str
    first_seen_at: datetime
    records_merged: int
    region: str
