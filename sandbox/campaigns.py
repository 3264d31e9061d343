"""Salesforce campaigns of `company`, their members, and the price list and currencies of the org.

A member who responded did so when the membership was created; one who was only sent something did nothing. They have
random generators of their own, so that nothing else of the company depends on them.
"""

from __future__ import annotations

import random
from datetime import date

from sandbox.clock import MINUTE, day_of
from sandbox.decisions import Person
from sandbox.lapses import take_off_the_list
from sandbox.office import Office, tell
from sandbox.records import Record
from sandbox.scenario import Scenario
from sandbox.selling import PRODUCTS

# Name, type, and the channel of that type.
CAMPAIGNS = (
    ("Autumn fair", "Trade Show", "Events"),
    ("Webinar on planning", "Webinar", "Events"),
    ("Analyst paper", "Content Syndication", "Content Syndication"),
    ("News for prospects", "Email", "Email"),
    ("Open house", "Other", "Unknown"),
    ("Letter to old customers", "Direct Mail", "Unknown"),
)
MAILING = 3
# Units of each currency for one unit of the corporate one, by month of the year 2026.
RATES = {"USD": (1.0, 1.0), "EUR": (0.86, 0.87), "GBP": (0.75, 0.76), "BRL": (5.4, 5.35)}


def open_books(scenario: Scenario, office: Office, anchor: date) -> None:
    """The records of the org from its first moment on."""
    tables = scenario.salesforce
    for code, name, family, _ in PRODUCTS:
        fields = {"Name": name, "ProductCode": code, "Family": family, "IsActive": True}
        product = Record(office.salesforce_id("Product2"), office.start, fields)
        office.products.append(tables["Product2"].add(product))
    for name, kind, _ in CAMPAIGNS:
        fields = {
            "Name": name,
            "Type": kind,
            "Status": "In Progress",
            "IsActive": True,
            "StartDate": day_of(office.start),
        }
        office.campaigns.append(tables["Campaign"].add(Record(office.salesforce_id("Campaign"), office.start, fields)))
    middle = date.fromordinal((day_of(office.start).toordinal() + anchor.toordinal()) // 2)
    for code, (first, second) in RATES.items():
        now = {"IsoCode": code, "ConversionRate": second, "IsCorporate": code == "USD", "IsActive": True}
        tables["CurrencyType"].add(Record(office.salesforce_id("CurrencyType"), office.start, now))
        for rate, since, until in ((first, date(2026, 1, 1), middle), (second, middle, None)):
            dated = {"IsoCode": code, "ConversionRate": rate, "StartDate": since, "NextStartDate": until}
            record = Record(office.salesforce_id("DatedConversionRate"), office.start, dated)
            tables["DatedConversionRate"].add(record)


def invite(office: Office, person: Person, lead_id: str, since: int, *, is_fair: bool) -> list[Record]:
    """Memberships of a new lead: guests of a fair are members, some leads get mail, some respond elsewhere."""
    rng = random.Random(f"campaigns {office.seed} {lead_id}")
    joined = []
    if is_fair:
        joined.append((0, True))
    elif rng.random() < 0.08:
        joined.append((rng.choice((1, 2, 4)), True))
    if rng.random() < 0.2:
        joined.append((MAILING, rng.random() < 0.15))
    members = []
    for place, has_responded in joined:
        at = since + rng.randint(2, 9) * MINUTE
        member = Record(
            office.salesforce_id("CampaignMember"),
            at,
            {
                "CampaignId": office.campaigns[place].id,
                "LeadId": lead_id,
                "Status": "Responded" if has_responded else "Sent",
                "HasResponded": has_responded,
                "FirstRespondedDate": day_of(at) if has_responded else None,
            },
        )
        members.append(office.scenario.salesforce["CampaignMember"].add(member))
        take_off_the_list(office.seed, member)
        if has_responded:
            tell(person, at, "touch", CAMPAIGNS[place][2], removed_at=member.purged)
    return members
