"""A simulated world: the vendors' records, and what really happened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sandbox.ad_accounts import AdAccount
from sandbox.decisions import Deal, Person
from sandbox.purchases import Purchase
from sandbox.records import Table
from sandbox.visits import Property

HUBSPOT_OBJECTS = ("contacts", "companies", "deals", "line_items", "calls", "emails", "meetings", "owners")
SALESFORCE_OBJECTS = (
    "Account",
    "Contact",
    "Lead",
    "LeadHistory",
    "Task",
    "Event",
    "Opportunity",
    "OpportunityContactRole",
    "OpportunityHistory",
    "OpportunityLineItem",
    "Product2",
    "Campaign",
    "CampaignMember",
    "CurrencyType",
    "DatedConversionRate",
    "User",
)


@dataclass(slots=True)
class ContactEvent:
    """One event occurrence on a HubSpot contact; after a merge it belongs to the survivor."""

    id: str
    at: int
    event_type: str
    contact_id: str
    properties: dict[str, str] = field(default_factory=dict)
    moved_at: int | None = None
    moved_to: str | None = None

    def contact_at(self, now: int) -> str:
        if self.moved_to is not None and self.moved_at is not None and self.moved_at <= now:
            return self.moved_to
        return self.contact_id


@dataclass(slots=True)
class Shop:
    """One web shop with its orders; amounts are hundredths of its currency."""

    id: str
    domain: str
    name: str
    currency: str
    time_zone: str
    orders: Table


def _tables(names: tuple[str, ...]) -> dict[str, Table]:
    return {name: Table() for name in names}


@dataclass(slots=True)
class Scenario:
    """The whole world. `grow` generates its life up to a moment; it must be called before reading at that moment."""

    name: str
    portal_id: int
    ad_accounts: list[AdAccount] = field(default_factory=list)
    hubspot: dict[str, Table] = field(default_factory=lambda: _tables(HUBSPOT_OBJECTS))
    events: list[ContactEvent] = field(default_factory=list)
    salesforce: dict[str, Table] = field(default_factory=lambda: _tables(SALESFORCE_OBJECTS))
    people: dict[str, Person] = field(default_factory=dict)
    deals: list[Deal] = field(default_factory=list)
    grow: Callable[[int], None] = lambda now: None
    conversion_actions: list[dict[str, Any]] = field(default_factory=list)
    properties: list[Property] = field(default_factory=list)
    shop: Shop | None = None
    purchases: list[Purchase] = field(default_factory=list)
    # Dollars per euro, each from a day on.
    dollars_per_euro: list[tuple[date, str]] = field(default_factory=list)

    def accounts(self, platform: str) -> list[AdAccount]:
        return [account for account in self.ad_accounts if account.platform == platform]
