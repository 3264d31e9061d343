"""Persons on their journey, and how marketing met them."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from sandbox.advertising import HABITS, Source
from sandbox.decisions import Person
from sandbox.office import Firm, Office
from sandbox.records import Record
from sandbox.staff import Rep


@dataclass
class Journey:
    """One person on a journey, and the vendors' records of them so far."""

    person: Person
    email: str | None
    firm: Firm | None
    rep: Rep
    contact: Record | None = None
    lead: Record | None = None
    lead_status: str = ""
    lead_email: str | None = None
    lead_source: str | None = "Web"
    sf_contact_id: str | None = None
    first_closed: int | None = None
    number: int = 0
    activities: list[Record] = field(default_factory=list)
    members: list[Record] = field(default_factory=list)

    @property
    def known_contact(self) -> Record:
        """The HubSpot contact of a person who must have one by now. Raises LookupError."""
        if self.contact is None:
            raise LookupError(f"{self.person.person_id} has no HubSpot contact yet.")
        return self.contact

    @property
    def known_lead(self) -> Record:
        """The Salesforce lead of a person who must have one by now. Raises LookupError."""
        if self.lead is None:
            raise LookupError(f"{self.person.person_id} has no Salesforce lead yet.")
        return self.lead

    def close(self, at: int) -> None:
        """Remember when the first cycle ended, if it did."""
        if self.first_closed is None or at < self.first_closed:
            self.first_closed = at


def start(office: Office, firm: Firm | None) -> Journey:
    number = office.number("person")
    domain = firm.domain if firm else f"mailbox{number % 5}.example"
    rep = office.staff.next("Sales Development", firm.region if firm else "")
    person = Person(f"person{number}")
    office.scenario.people[person.person_id] = person
    return Journey(person, f"person{number}@{domain}", firm, rep, number=number)


def arrive(rng: random.Random, paid: list[tuple[Source, float]]) -> tuple[str, str | None, dict[str, str | None]]:
    """Channel, campaign and the HubSpot fields that describe them."""
    way = rng.choices(
        ("paid", "organic", "direct", "newsletter", "referral", "social", "import"), (66, 13, 7, 5, 4, 3, 2)
    )[0]
    if way == "paid" and paid:
        source = rng.choices([one for one, _ in paid], [weight for _, weight in paid])[0]
        habits = HABITS[source.platform]
        if rng.random() < 0.04:
            return habits.channel, None, {"hs_analytics_source": habits.analytics}
        tags, campaign_id = _tags(rng, source)
        return source.channel, campaign_id, {"hs_analytics_source": habits.analytics, **tags}
    if way == "direct":
        return "Direct", None, {"hs_analytics_source": "DIRECT_TRAFFIC"}
    if way == "newsletter":
        return "Email", None, {"hs_analytics_source": "EMAIL_MARKETING", **_utm("newsletter", "email", "monthly-news")}
    if way == "referral":
        return (
            "Referral",
            None,
            {"hs_analytics_source": "REFERRALS", **_utm("blog.partner-site.example", "referral", "post")},
        )
    if way == "social":
        return (
            "Organic Social",
            None,
            {"hs_analytics_source": "SOCIAL_MEDIA", **_utm("linkedin", "social", "page-post")},
        )
    if way == "import":
        return "Unknown", None, {"hs_analytics_source": "OFFLINE"}
    return "Organic Search", None, {"hs_analytics_source": "ORGANIC_SEARCH"}


def _utm(source: str, medium: str, campaign: str) -> dict[str, str | None]:
    return {"utm_source": source, "utm_medium": medium, "utm_campaign": campaign}


def _tags(rng: random.Random, source: Source) -> tuple[dict[str, str | None], str | None]:
    """UTM tags as people set them: mostly with the campaign's id, sometimes its id or name as utm_campaign, sometimes a
    text that matches nothing.
    """
    utm_source, utm_medium = rng.choice(source.utm)
    slug = source.plan.name.lower().replace(" ", "-")
    campaign_id = source.campaign.id
    roll = rng.random()
    if roll < 0.80:
        return {**_utm(utm_source, utm_medium, slug), "utm_id": campaign_id}, campaign_id
    if roll < 0.88:
        return _utm(utm_source, utm_medium, campaign_id), campaign_id
    if roll < 0.95 and source.plan.renamed is None:
        return _utm(utm_source, utm_medium, source.plan.name), campaign_id
    return _utm(utm_source, utm_medium, slug), None
