"""The records of `company`: firms, identifiers, and the functions that write one fact into every vendor's records."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import count
from operator import itemgetter
from typing import Any

from sandbox.advertising import Source
from sandbox.clock import DAY, HOUR, MINUTE, SECOND, day_of
from sandbox.decisions import Happening, Kind, Person
from sandbox.identifiers import salesforce_id
from sandbox.purchases import Bill
from sandbox.records import Record
from sandbox.scenario import ContactEvent, Scenario
from sandbox.staff import FIRST_NAMES, LAST_NAMES, Rep, Staff

COUNTRIES = (
    ("Germany", "EMEA", "EUR", 20),
    ("France", "EMEA", "EUR", 10),
    ("United Kingdom", "EMEA", "GBP", 14),
    ("Spain", "EMEA", "EUR", 6),
    ("Netherlands", "EMEA", "EUR", 6),
    ("United States", "Americas", "USD", 24),
    ("Canada", "Americas", "USD", 4),
    ("Brazil", "Americas", "BRL", 6),
    ("Japan", "APAC", "USD", 4),
    ("Australia", "APAC", "USD", 4),
    ("Singapore", "APAC", "USD", 2),
)
REGION_OF = {country: region for country, region, _, _ in COUNTRIES}
CURRENCY_OF = {country: currency for country, _, currency, _ in COUNTRIES}
WEIGHTS = [weight for *_, weight in COUNTRIES]
FIRM_WORDS = [
    "Amber",
    "Basalt",
    "Cedar",
    "Delta",
    "Ember",
    "Fjord",
    "Granite",
    "Harbor",
    "Indigo",
    "Juniper",
    "Kestrel",
    "Lumen",
    "Maple",
    "Nimbus",
    "Onyx",
    "Prairie",
    "Quartz",
    "Raven",
    "Summit",
    "Tundra",
    "Umbra",
    "Velvet",
    "Willow",
    "Xenon",
    "Yarrow",
    "Zephyr",
]
FIRM_KINDS = ("Systems", "Foods", "Logistics", "Health", "Retail", "Energy", "Media", "Works")
HUBSPOT_INDUSTRIES = (
    "COMPUTER_SOFTWARE",
    "FOOD_BEVERAGES",
    "LOGISTICS_AND_SUPPLY_CHAIN",
    "HOSPITAL_HEALTH_CARE",
    "RETAIL",
)
SALESFORCE_INDUSTRIES = ("Technology", "Food & Beverage", "Transportation", "Healthcare", "Retail")


@dataclass(slots=True)
class Firm:
    """A company that may buy; more vendors learn about it over time."""

    number: int
    name: str
    domain: str | None
    country: str | None
    industry: int
    employees: int
    born: int
    company: Record | None = None
    account: Record | None = None
    contacts: list[tuple[int, str]] = field(default_factory=list)

    @property
    def region(self) -> str:
        return REGION_OF.get(self.country or "", "Unknown")

    @property
    def currency(self) -> str:
        return CURRENCY_OF.get(self.country or "", "USD")


@dataclass(slots=True, frozen=True)
class Prospect:
    """A person that only HubSpot knows, whose only cycle is open and to whom nothing happens after `settled`."""

    settled: int
    person_id: str
    contact: Record
    firm: Firm | None


@dataclass
class Office:
    """Everything that lives are written with. `start` is the first moment of the CRM.

    `shoppers` are people with an address, (since, person id, address), who may order in the shop; `bills` are won deals
    that the shop will bill, by day; `prospects` may become contacts of a deal that exists only in HubSpot; `persons`
    are those of Salesforce's contacts.
    """

    scenario: Scenario
    seed: int
    anchor: date
    start: int
    staff: Staff
    sources: list[Source]
    firms: list[Firm] = field(default_factory=list)
    numbers: dict[str, Any] = field(default_factory=dict)
    shoppers: list[tuple[int, str, str]] = field(default_factory=list)
    bills: dict[date, list[Bill]] = field(default_factory=dict)
    prospects: list[Prospect] = field(default_factory=list)
    persons: dict[str, str] = field(default_factory=dict)
    campaigns: list[Record] = field(default_factory=list)
    products: list[Record] = field(default_factory=list)

    def number(self, kind: str) -> int:
        return next(self.numbers.setdefault(kind, count(1)))

    def salesforce_id(self, sobject: str) -> str:
        return salesforce_id(sobject, self.number(sobject))

    # --- firms ------------------------------------------------------------------------------------------------------

    def found_firm(self, rng: random.Random, at: int, named: bool = True) -> Firm:
        number = self.number("firm")
        country = None if rng.random() < 0.08 else rng.choices(COUNTRIES, WEIGHTS)[0][0]
        word = FIRM_WORDS[number % len(FIRM_WORDS)]
        kind = FIRM_KINDS[(number // len(FIRM_WORDS)) % len(FIRM_KINDS)]
        firm = Firm(
            number,
            f"{word} {kind} {number}",
            f"{word.lower()}{number}.example" if named else None,
            country,
            rng.randrange(len(HUBSPOT_INDUSTRIES)),
            int(rng.lognormvariate(4.5, 1.3)) + 2,
            at,
        )
        if named:
            self.firms.append(firm)
        return firm

    def some_firm(self, rng: random.Random, at: int) -> Firm:
        """A firm that is known already, or a new one."""
        if self.firms and rng.random() < 0.35:
            firm = rng.choice(self.firms)
            if firm.born <= at:
                return firm
        return self.found_firm(rng, at)

    def company_of(self, firm: Firm, at: int) -> str:
        """The firm as a HubSpot company, existing from this moment at the latest."""
        if firm.company is None:
            firm.company = self.scenario.hubspot["companies"].add(
                Record(
                    str(5_000_000 + firm.number),
                    at,
                    {
                        "name": firm.name,
                        "domain": firm.domain,
                        "country": firm.country,
                        "industry": HUBSPOT_INDUSTRIES[firm.industry],
                        "numberofemployees": str(firm.employees),
                    },
                )
            )
        elif firm.company.created > at:
            firm.company.created = at
            self.scenario.hubspot["companies"].forget()
        self._link_firm(firm)
        return firm.company.id

    def account_of(self, firm: Firm, at: int, owner: Rep) -> str:
        """The firm as a Salesforce account, existing from this moment at the latest."""
        if firm.account is None:
            firm.account = self.scenario.salesforce["Account"].add(
                Record(
                    self.salesforce_id("Account"),
                    at,
                    {
                        "Name": firm.name,
                        "Industry": SALESFORCE_INDUSTRIES[firm.industry],
                        "NumberOfEmployees": firm.employees,
                        "BillingCountry": firm.country,
                        "Website": f"https://www.{firm.domain}" if firm.domain else None,
                        "OwnerId": owner.user_id,
                    },
                )
            )
        elif firm.account.created > at:
            firm.account.created = at
            self.scenario.salesforce["Account"].forget()
        self._link_firm(firm)
        return firm.account.id

    def _link_firm(self, firm: Firm) -> None:
        """Two firms in three are linked by id; the others share a domain only."""
        if firm.company is None or firm.account is None or firm.number % 3 == 0:
            return
        at = max(firm.company.created, firm.account.created) + 8 * MINUTE
        others = [one for one in firm.company.changes if "salesforceaccountid" not in one[1]]
        firm.company.changes = sorted([*others, (at, {"salesforceaccountid": firm.account.id})], key=itemgetter(0))
        self.scenario.hubspot["companies"].forget()

    # --- events and histories ---------------------------------------------------------------------------------------

    def add_event(
        self, at: int, event_type: str, contact_id: str, properties: dict[str, str] | None = None
    ) -> ContactEvent:
        event = ContactEvent(f"evt-{self.number('event'):08d}", at, event_type, contact_id, properties or {})
        self.scenario.events.append(event)
        return event

    def add_lead_history(
        self, lead_id: str, at: int, field_name: str, old: str | None, new: str | None, author: str
    ) -> Record:
        return self.scenario.salesforce["LeadHistory"].add(
            Record(
                self.salesforce_id("LeadHistory"),
                at,
                {"LeadId": lead_id, "Field": field_name, "OldValue": old, "NewValue": new, "CreatedById": author},
            )
        )


def tell(
    person: Person,
    at: int,
    kind: Kind,
    channel: str | None = None,
    campaign_id: str | None = None,
    rep_id: str | None = None,
    *,
    known_at: int | None = None,
    removed_at: int | None = None,
) -> None:
    """Record what really happened."""
    person.happenings.append(Happening(at, kind, channel, campaign_id, rep_id, known_at, removed_at))


def working_time(rng: random.Random, at: float) -> int:
    """The moment itself by day; else the next morning. Events that follow it within minutes or hours stay on its day
    too, so nothing happens between midnight and 06:00 UTC: a reader at 00:00 or at 03:00 sees the complete day before.
    """
    moment = int(at) // SECOND * SECOND
    midnight, hour = moment - moment % DAY, moment % DAY / HOUR
    if hour < 6:
        return midnight + 6 * HOUR + rng.randrange(7_200) * SECOND
    if hour >= 20:
        return midnight + DAY + 6 * HOUR + rng.randrange(7_200) * SECOND
    return moment


def later(rng: random.Random, at: int, least_hours: float, most_hours: float) -> int:
    """A working time a random number of hours after a moment, between these limits."""
    return working_time(rng, at + rng.uniform(least_hours, most_hours) * HOUR)


def days_after(at: int, days: int) -> date:
    return day_of(at) + timedelta(days)


def full_name(number: int) -> tuple[str, str]:
    return FIRST_NAMES[number % len(FIRST_NAMES)], LAST_NAMES[(number // len(FIRST_NAMES)) % len(LAST_NAMES)]
